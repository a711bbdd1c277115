"""Decoding and sampling of models given as a table over all prefixes, so that everything can be counted."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.decoding import ChainPredictor, decode_greedily, sample_chains
from labelchain.agents.networks import build_network


class Tabular:
    """A distribution of its own for every prefix, in order, and every one of a few inputs.

    Features ``(n, 1)`` hold the number of an input. A state is the prefix as a number to base ``L + 1``.
    """

    state_parts = 2

    def __init__(self, num_labels, seed=0, num_inputs=3, logits=None):
        self.num_labels = num_labels
        rng = np.random.default_rng(seed)
        shape = (num_inputs, (num_labels + 1) ** num_labels, num_labels + 1)
        table = 1.5 * rng.normal(size=shape) if logits is None else np.broadcast_to(logits, shape)
        self.table = torch.from_numpy(table.copy())

    def start(self, features):
        return features[:, 0].long(), torch.zeros(len(features), dtype=torch.int64)

    def advance(self, state, labels):
        return state[0], state[1] * (self.num_labels + 1) + labels + 1

    def log_probs(self, state, emitted):
        logits = self.table[state].masked_fill(torch.nn.functional.pad(emitted, (0, 1)), -torch.inf)
        return logits.log_softmax(dim=1)


def step_distribution(model, row, prefix):
    """Log-probabilities after a prefix of one input ``(1, num_features)``, ``(L + 1,)`` numpy."""
    state = model.start(row)
    for label in prefix:
        state = model.advance(state, torch.tensor([label]))
    emitted = torch.zeros(1, model.num_labels, dtype=torch.bool)
    emitted[0, list(prefix)] = True
    with torch.no_grad():
        return model.log_probs(state, emitted)[0].double().numpy()


def decoded_by_definition(model, row, max_labels):
    """The label set and the ranking of one input, greedily, step by step."""
    label_set, ranking = [], []
    while len(label_set) < min(max_labels, model.num_labels):
        choice = int(step_distribution(model, row, label_set).argmax())
        if choice == model.num_labels:
            break
        label_set.append(choice)
    while len(ranking) < min(5, model.num_labels):
        ranking.append(int(step_distribution(model, row, ranking)[:-1].argmax()))
    return label_set, ranking


def probability(model, row, chain, limit):
    """The probability that a sample is exactly this chain of labels."""
    total = 0.0
    for step, label in enumerate(chain):
        total += step_distribution(model, row, chain[:step])[label]
    if len(chain) < min(limit, model.num_labels):
        total += step_distribution(model, row, chain)[model.num_labels]
    return np.exp(total)


def chains_of(actions, num_labels):
    return [tuple(label for label in row if 0 <= label < num_labels) for row in actions.tolist()]


def assert_decodes_by_definition(model, features, max_labels):
    predictions = decode_greedily(model, features, max_labels)
    for row in range(len(features)):
        label_set, ranking = decoded_by_definition(model, features[row : row + 1], max_labels)
        found = predictions.chains[row].tolist()
        assert found == label_set + [-1] * (len(found) - len(label_set))
        assert predictions.ranking[row].tolist() == ranking


@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**31))
@settings(max_examples=40)
def test_tables_decode_by_the_definition(num_labels, max_labels, seed):
    features = torch.tensor([[0.0], [1.0], [2.0], [1.0]])
    assert_decodes_by_definition(Tabular(num_labels, seed), features, max_labels)


@pytest.mark.parametrize("cell", ["sum", "gru"])
@pytest.mark.parametrize(("num_labels", "max_labels"), [(1, 1), (3, 2), (5, 9), (8, 1), (8, 6), (8, 20)])
def test_networks_decode_by_the_definition(cell, num_labels, max_labels):
    torch.manual_seed(num_labels)
    config = NetworkConfig(cell=cell, width=16, embedding=8, hidden=8)
    net = build_network(4, num_labels, config, "none").eval()
    with torch.no_grad():
        net.output.weight.mul_(6)  # far from ties
    assert_decodes_by_definition(net, 2 * torch.randn(9, 4), max_labels)


def test_stop_at_once_gives_an_empty_set_and_a_full_ranking():
    model = Tabular(5, logits=[1.0, 3.0, 2.0, 5.0, 4.0, 9.0])
    predictions = decode_greedily(model, torch.zeros(2, 1), 4)
    assert predictions.chains.tolist() == [[-1], [-1]]
    assert predictions.ranking.tolist() == [[3, 4, 1, 2, 0]] * 2


def test_never_stopping_emits_every_label_or_the_limit():
    model = Tabular(4, logits=[1.0, 3.0, 2.0, 5.0, -9.0])
    assert decode_greedily(model, torch.zeros(1, 1), 4).chains.tolist() == [[3, 1, 2, 0]]
    assert decode_greedily(model, torch.zeros(1, 1), 99).chains.tolist() == [[3, 1, 2, 0]]
    assert decode_greedily(model, torch.zeros(1, 1), 1).chains.tolist() == [[3]]
    assert decode_greedily(model, torch.zeros(1, 1), 1).ranking.tolist() == [[3, 1, 2, 0]]


def test_a_stop_forbidden_in_the_ranking_ends_the_label_set_for_good():
    """After STOP the ranking goes on; labels that it adds are not in the set, even where STOP loses again."""
    model = Tabular(5, logits=[5.0, 4.0, 3.0, 2.0, 1.0, -9.0])
    model.table[:, 1, 5] = 99.0  # after label 0 alone, STOP is best; never elsewhere
    predictions = decode_greedily(model, torch.zeros(1, 1), 5)
    assert predictions.chains.tolist() == [[0]]
    assert predictions.ranking.tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("cell", ["sum", "gru"])
def test_a_network_decodes_a_row_the_same_in_any_company(cell):
    torch.manual_seed(0)
    net = build_network(4, 9, NetworkConfig(cell=cell, width=16, embedding=8, hidden=8), "none").eval()
    features = 2 * torch.randn(40, 4)
    together = decode_greedily(net, features, 7)
    order = torch.randperm(40)
    parts = [decode_greedily(net, features[rows], 7) for rows in order.split(13)]
    position = 0
    for part in parts:
        for ranking, chain in zip(part.ranking, part.chains, strict=True):
            row = int(order[position])
            position += 1
            assert ranking.tolist() == together.ranking[row].tolist()
            assert chain[chain >= 0].tolist() == together.chains[row][together.chains[row] >= 0].tolist()


def test_averages_decode_by_the_definition_and_nest():
    one, two, three = (Tabular(4, seed) for seed in (1, 2, 3))
    features = torch.tensor([[0.0], [1.0], [2.0]])
    assert_decodes_by_definition(AveragedModel([one, two, three]), features, 4)
    nested = AveragedModel([AveragedModel([one, two]), AveragedModel([one, two])])
    assert nested.state_parts == 8
    flat = decode_greedily(AveragedModel([one, two]), features, 4)
    deep = decode_greedily(nested, features, 4)
    assert deep.chains.tolist() == flat.chains.tolist()
    assert deep.ranking.tolist() == flat.ranking.tolist()


def test_an_average_is_of_probabilities_at_every_step():
    one, two, row = Tabular(3, 1), Tabular(3, 2), torch.zeros(1, 1)
    both = AveragedModel([one, two])
    for prefix in [(), (1,), (2, 0), (0, 1, 2)]:
        each = [np.exp(step_distribution(model, row, prefix)) for model in (one, two)]
        np.testing.assert_allclose(np.exp(step_distribution(both, row, prefix)), np.mean(each, axis=0))


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_whole_chains_are_sampled_with_their_probabilities(limit):
    model, num_samples = Tabular(3, seed=limit), 30_000
    row = torch.tensor([[1.0]])
    chains = [c for n in range(min(limit, 3) + 1) for c in itertools.permutations(range(3), n)]
    expected = np.array([probability(model, row, chain, limit) for chain in chains])
    assert expected.sum() == pytest.approx(1.0)
    actions = sample_chains(model, row.expand(num_samples, -1), limit, torch.Generator().manual_seed(0))
    found = chains_of(actions, 3)
    observed = np.array([found.count(chain) for chain in chains])
    assert observed.sum() == num_samples
    common = expected * num_samples > 5  # the chi-square test needs enough of each
    rest = [observed[~common].sum()], [expected[~common].sum() * num_samples]
    assert (
        stats.chisquare(
            np.append(observed[common], rest[0]) + 1e-9,
            np.append(expected[common] * num_samples, rest[1]) + 1e-9,
        ).pvalue
        > 1e-3
    )


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 20), st.integers(0, 2**31))
@settings(max_examples=40)
def test_samples_are_distinct_labels_then_stop_then_padding(num_labels, limit, num_rows, seed):
    model = Tabular(num_labels, seed)
    features = torch.zeros(num_rows, 1)
    actions = sample_chains(model, features, limit, torch.Generator().manual_seed(seed))
    most = min(limit, num_labels)
    assert actions.dtype == torch.int64
    assert 1 <= actions.shape[1] <= most
    for row, chain in zip(actions.tolist(), chains_of(actions, num_labels), strict=True):
        assert len(set(chain)) == len(chain)
        end = [] if len(chain) == most else [num_labels]
        assert row == [*chain, *end, *[-1] * (len(row) - len(chain) - len(end))]


def test_a_seed_decides_the_samples_whatever_else_is_drawn():
    model, features = Tabular(5), torch.zeros(30, 1)
    one = sample_chains(model, features, 5, torch.Generator().manual_seed(8))
    torch.rand(7)
    assert torch.equal(one, sample_chains(model, features, 5, torch.Generator().manual_seed(8)))
    before = torch.get_rng_state()
    sample_chains(model, features, 5, torch.Generator().manual_seed(8))
    assert torch.equal(before, torch.get_rng_state())


def test_a_predictor_does_not_change_its_input_and_keeps_no_gradient():
    torch.manual_seed(0)
    net = build_network(4, 6, NetworkConfig(width=8), "none").eval()
    features = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    before = features.copy()
    predictions = ChainPredictor(net, 3).predict(features)
    np.testing.assert_array_equal(features, before)
    assert predictions.chains.shape[1] <= 3
    assert predictions.ranking.dtype == predictions.chains.dtype == np.int64
