"""Decoders against enumeration of every chain; rows that do not depend on their batch."""

import itertools

import numpy as np
import pytest
import torch

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.chain_steps import chain_steps
from labelchain.agents.decoders import (
    DECODINGS,
    rank_by_first_step,
    rank_by_sampled_chains,
    search_beam,
    under_decoding,
)
from labelchain.agents.decoding import ChainPredictor, decode_greedily
from labelchain.agents.networks import build_network
from labelchain.agents.runs import RunError
from labelchain.envs.evaluation import SelectedPredictor

LABELS = 4


@pytest.fixture(params=["sum", "gru", "two"])
def model(request):
    def network(cell, seed):
        torch.manual_seed(seed)
        net = build_network(
            3, LABELS, NetworkConfig(cell=cell, width=8, embedding=4, hidden=8), "none"
        ).eval()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.7 * torch.randn(parameter.shape))
        return net

    return (
        AveragedModel([network("sum", 0), network("gru", 1)])
        if request.param == "two"
        else network(request.param, 3)
    )


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


@pytest.mark.parametrize("limit", [1, 3, 4])
def test_a_wide_beam_finds_the_most_probable_chain_and_a_narrow_one_the_greedy(model, features, limit):
    wide = search_beam(model, features, limit, 64)
    for row, chain in zip(features, wide.tolist(), strict=True):
        chains = all_chains(model, row, limit)
        found = tuple(label for label in chain if label >= 0)
        assert chains[found] == pytest.approx(max(chains.values()), rel=1e-4)
    np.testing.assert_array_equal(
        search_beam(model, features, limit, 1).numpy(), decode_greedily(model, features, limit).chains
    )


def test_a_wider_beam_is_mostly_no_less_probable(model, features):
    means = []
    for width in (1, 3, 64):
        found = search_beam(model, features, 4, width).tolist()
        each = [
            all_chains(model, row, 4)[tuple(x for x in chain if x >= 0)]
            for row, chain in zip(features, found, strict=True)
        ]
        means.append(np.mean(each))
    assert means[0] <= means[1] + 1e-6 <= means[2] + 2e-6


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
