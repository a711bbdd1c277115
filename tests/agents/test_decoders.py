"""Decoders against enumeration of every chain; rows that do not depend on their batch."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.beam import search_beam
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.chain_steps import chain_steps
from labelchain.agents.decoders import (
    DECODINGS,
    rank_by_first_step,
    rank_by_sampled_chains,
    under_decoding,
)
from labelchain.agents.decoding import ChainPredictor, decode_greedily
from labelchain.agents.networks import build_network
from labelchain.agents.runs import RunError
from labelchain.agents.sampled_chains import sets_of_most_expected_f1
from labelchain.envs.evaluation import SelectedPredictor

LABELS = 4


def perturbed(cell, seed):
    """A network whose answers differ a lot from input to input."""
    torch.manual_seed(seed)
    net = build_network(3, LABELS, NetworkConfig(cell=cell, width=8, embedding=4, hidden=8), "none").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.7 * torch.randn(parameter.shape))
    return net


@pytest.fixture(params=["sum", "gru", "two"])
def model(request):
    if request.param == "two":
        return AveragedModel([perturbed("sum", 0), perturbed("gru", 1)])
    return perturbed(request.param, 3)


@pytest.fixture
def features():
    return torch.randn(12, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("decoding", DECODINGS)
def test_no_number_is_no_prediction(model, features, decoding):
    predictor = ChainPredictor(model, LABELS)
    found = under_decoding(SelectedPredictor(predictor, predictor), decoding, LABELS)
    rows = features.numpy().copy()
    rows[3] = 3e38  # what it is multiplied with adds up to more than float32 holds
    with pytest.raises(RunError, match=r"no numbers \(NaN\) for 1 of 12 inputs"):
        found.predict(rows)
    with pytest.raises(RunError, match="no numbers"):
        predictor.label_sets(rows)
    with pytest.raises(RunError, match="no numbers"):
        chain_steps(model, torch.from_numpy(rows), LABELS)


def all_chains(model, row, limit):
    """Every chain of one input with its probability."""
    found = {}

    def grow(chain, log_probability):
        state = model.start(row[None])
        emitted = torch.zeros(1, LABELS, dtype=torch.bool)
        for label in chain:
            state = model.advance(state, torch.tensor([label]))
            emitted[0, label] = True
        if len(chain) == limit:
            found[chain] = log_probability.exp().item()
            return
        log_probs = model.log_probs(state, emitted)[0]
        found[chain] = (log_probability + log_probs[LABELS]).exp().item()
        for label in set(range(LABELS)) - set(chain):
            grow((*chain, label), log_probability + log_probs[label])

    with torch.no_grad():
        grow((), torch.zeros(()))
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-4)
    return found


def all_sets(model, row, limit):
    """Every label set of one input with its probability: that of its chains in any order."""
    found = Counter()
    for chain, probability in all_chains(model, row, limit).items():
        found[frozenset(chain)] += probability
    return found


def set_of(chain):
    return frozenset(label for label in chain if label >= 0)


@pytest.fixture
def set_models():
    """Models that see the labels so far as a set: one network, and two averaged."""
    one, other = (perturbed("sum", seed) for seed in (3, 5))
    return one, AveragedModel([one, other], [0.3, 0.7])


@pytest.mark.parametrize("limit", [1, 3, 4])
def test_a_wide_beam_finds_the_most_probable_set(set_models, features, limit):
    for model in set_models:
        wide = search_beam(model, features, limit, 64)
        for row, chain in zip(features, wide.tolist(), strict=True):
            sets = all_sets(model, row, limit)
            assert sets[set_of(chain)] == pytest.approx(max(sets.values()), rel=1e-4)


@pytest.mark.parametrize("limit", [1, 3, 4])
def test_the_narrowest_beam_is_greedy(model, features, limit):
    narrow = search_beam(model, features, limit, 1)
    np.testing.assert_array_equal(narrow.numpy(), decode_greedily(model, features, limit).chains)


def test_a_wider_beam_is_mostly_no_less_probable(set_models, features):
    for model in set_models:
        means = []
        for width in (1, 3, 64):
            found = search_beam(model, features, 4, width).tolist()
            each = [
                all_sets(model, row, 4)[set_of(chain)] for row, chain in zip(features, found, strict=True)
            ]
            means.append(np.mean(each))
        assert means[0] <= means[1] + 1e-6 <= means[2] + 2e-6


class Certain:
    """A model of two labels that says the same always, some of it with probability 0 or 1."""

    num_labels, state_parts = 2, 1

    def __init__(self, probabilities):
        self.probabilities = torch.tensor(probabilities)

    def start(self, features):
        return (torch.zeros(len(features), 1),)

    def advance(self, state, _labels):
        return state

    def log_probs(self, _state, emitted):
        weights = self.probabilities * torch.nn.functional.pad(~emitted, (0, 1), value=True)
        return (weights / weights.sum(dim=1, keepdim=True)).log()


@pytest.mark.parametrize(("probabilities", "expected"), [([0.0, 0.0, 1.0], [-1]), ([0.0, 1.0, 1e-9], [1])])
def test_what_is_impossible_is_no_candidate(probabilities, expected):
    assert search_beam(Certain(probabilities), torch.zeros(2, 1), 1, 3).tolist() == [expected] * 2


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_no_set_within_the_limit_has_a_greater_expected_f1(model, features, limit):
    found = sets_of_most_expected_f1(model, features, limit, num_chains=1000)
    assert found.shape[1] <= limit
    every = [frozenset(each) for k in range(limit + 1) for each in itertools.combinations(range(LABELS), k)]
    for row, chain in zip(features, found.tolist(), strict=True):
        sets = all_sets(model, row, limit)

        def expected_f1(answer, sets=sets):
            return sum(
                probability * (2 * len(answer & truth) / (len(answer) + len(truth)) if answer | truth else 1)
                for truth, probability in sets.items()
            )

        assert expected_f1(set_of(chain)) > max(map(expected_f1, every)) - 0.01


def test_sampled_chains_rank_by_the_probability_of_being_in_the_chain(model, features):
    ranking = rank_by_sampled_chains(model, features, 3, num_chains=600)
    for row, ranked in zip(features, ranking.tolist(), strict=True):
        chains = all_chains(model, row, 3)
        inclusion = np.zeros(LABELS)
        for chain, probability in chains.items():
            inclusion[list(chain)] += probability
        assert (np.diff(inclusion[ranked]) < 0.02).all()  # falls, but for what sampling cannot tell


def test_the_first_step_ranks_by_the_first_distribution(model, features):
    emitted = torch.zeros(12, LABELS, dtype=torch.bool)
    expected = model.log_probs(model.start(features), emitted)[:, :LABELS].argsort(dim=1, descending=True)
    assert torch.equal(rank_by_first_step(model, features), expected)


@pytest.mark.parametrize("decoding", DECODINGS)
def test_a_row_decodes_the_same_in_any_batch_and_each_time(model, features, decoding):
    predictor = under_decoding(ChainPredictor(model, 3), decoding, beam_width=3)
    together = predictor.predict(features.numpy())
    for row in range(12):
        alone = predictor.predict(features[row : row + 1].numpy())
        np.testing.assert_array_equal(alone.ranking[0], together.ranking[row])
        assert [x for x in alone.chains[0] if x >= 0] == [x for x in together.chains[row] if x >= 0]


def test_rankings_and_sets_of_permuted_chains_are_distinct_labels(model, features):
    for decoding, width in itertools.product(DECODINGS, (1, 5)):
        predictions = under_decoding(ChainPredictor(model, 9), decoding, width).predict(features.numpy())
        assert np.sort(predictions.ranking, axis=1).tolist() == [list(range(LABELS))] * 12
        for chain in predictions.chains:
            labels = chain[chain >= 0]
            assert len(set(labels)) == len(labels)
            assert (chain[len(labels) :] == -1).all()


def test_each_decoding_reads_the_network_that_it_is_for(features):
    """Greedy chains and beams are of the network that decides, samples of it as it was learned."""
    deciding, learned = perturbed("sum", 3), perturbed("sum", 5)
    predictor = ChainPredictor(deciding, 4, learned=learned)
    answers = [
        ("chain", 5, decode_greedily(deciding, features, 4).chains),
        ("beam", 5, search_beam(deciding, features, 4, 5)),
        ("beam", 1, search_beam(deciding, features, 4, 1)),
        ("expected-f1", 5, sets_of_most_expected_f1(learned, features, 4)),
    ]
    for decoding, width, expected in answers:
        found = under_decoding(predictor, decoding, width).predict(features.numpy()).chains
        np.testing.assert_array_equal(found, expected)
    assert answers[1][2].tolist() != answers[2][2].tolist()


def test_what_selects_two_networks_decodes_each_of_them_and_what_has_no_chains_is_left_alone(features):
    torch.manual_seed(0)
    one, other = (
        ChainPredictor(build_network(3, LABELS, NetworkConfig(width=8), "none").eval(), 3) for _ in "ab"
    )
    both = under_decoding(SelectedPredictor(one, other), "first-step", 2).predict(features.numpy())
    np.testing.assert_array_equal(both.ranking, rank_by_first_step(one.model, features).numpy())
    np.testing.assert_array_equal(both.chains, other.predict(features.numpy()).chains)

    class Scores:
        def predict(self, features):
            raise NotImplementedError

    assert under_decoding(Scores(), "beam", 2) is None
    assert under_decoding(SelectedPredictor(one, Scores()), "beam", 2) is None
    assert under_decoding(SelectedPredictor(Scores(), one), "first-step", 2) is None


def test_no_row_at_all_and_a_single_label():
    net = build_network(3, 1, NetworkConfig(width=8), "none").eval()
    for decoding in DECODINGS:
        predictor = under_decoding(ChainPredictor(net, 1), decoding, 5)
        assert predictor.predict(np.zeros((2, 3), np.float32)).ranking.tolist() == [[0], [0]]
        nothing = predictor.predict(np.zeros((0, 3), np.float32))
        assert (nothing.ranking.shape, nothing.chains.shape) == ((0, 1), (0, 1))
