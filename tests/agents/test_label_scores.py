"""Scores of labels: the exact probability where it can be counted, a score for whatever predicts."""

import numpy as np
import pytest
import torch

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.label_scores import label_scores
from labelchain.agents.networks import build_network
from labelchain.agents.sampled_chains import inclusion_probabilities
from labelchain.envs.evaluation import SelectedPredictor
from labelchain.envs.metrics import Predictions


def small_network(seed, cell="sum"):
    torch.manual_seed(seed)
    net = build_network(3, 4, NetworkConfig(cell=cell, width=6, embedding=5, hidden=5), "none").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.0)  # far from uniform
    return net


def exact(model, features, limit):
    """The probability that a chain holds each label, by going through every chain: ``(n, L)``."""
    num_labels = model.num_labels
    total = torch.zeros(len(features), num_labels)

    def go(state, emitted, weight, length):
        probabilities = model.log_probs(state, emitted).exp()
        for label in range(num_labels):
            if emitted[0, label]:
                continue
            reached = weight * probabilities[:, label]
            total[:, label] += reached
            if length + 1 < min(limit, num_labels):
                further = emitted.clone()
                further[:, label] = True
                labels = torch.full((len(features),), label)
                go(model.advance(state, labels), further, reached, length + 1)

    with torch.no_grad():
        nothing = torch.zeros(len(features), num_labels, dtype=torch.bool)
        go(model.start(features), nothing, torch.ones(len(features)), 0)
    return total


@pytest.mark.parametrize("limit", [1, 2, 4, 9])
@pytest.mark.parametrize("kind", ["sum", "gru", "averaged"])
def test_probabilities_of_inclusion_are_those_of_all_chains_together(kind, limit):
    model = (
        AveragedModel([small_network(0), small_network(1, "gru")])
        if kind == "averaged"
        else small_network(0, kind)
    )
    features = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    found = inclusion_probabilities(model, features, limit, num_chains=2000)
    torch.testing.assert_close(found, exact(model, features, limit), atol=0.03, rtol=0)


def test_a_few_chains_are_close_and_a_row_does_not_depend_on_others():
    model, features = small_network(0), np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    predictor = ChainPredictor(model, 4)
    scores = label_scores(predictor, features, 4)
    assert scores.shape == (400, 4)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    truth = exact(model, torch.from_numpy(features), 4).numpy()
    assert np.abs(scores - truth).mean() < 0.1
    assert abs((scores - truth).mean()) < 0.02
    np.testing.assert_allclose(scores[:7], label_scores(predictor, features[:7], 4), atol=1e-6)
    np.testing.assert_array_equal(scores, label_scores(SelectedPredictor(None, predictor), features, 4))


class Sure:
    """Has scores of its own."""

    def predict(self, _features):
        raise AssertionError("not asked")

    def label_scores(self, features):
        return np.full((len(features), 3), 0.25, dtype=np.float32)


class Silent:
    """Has only chains."""

    def predict(self, _features):
        chains = np.array([[2, 0], [-1, -1], [1, -1]])
        return Predictions(chains, chains)


def test_own_scores_come_first_and_chains_alone_count_their_labels():
    features = np.zeros((3, 2), dtype=np.float32)
    assert (label_scores(Sure(), features, 3) == 0.25).all()
    assert label_scores(Silent(), features, 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
