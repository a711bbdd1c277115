"""Decoding against a slow reference, one row at a time; sampling against known frequencies."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.decoding import ChainPredictor, decode_greedily, sample_chains


class TableModel:
    """Distributions from a hidden table: the logits depend on the input and on the set of labels out."""

    state_parts = 2

    def __init__(self, num_labels, seed=0):
        self.num_labels = num_labels
        rng = np.random.default_rng(seed)
        self.bias = torch.from_numpy(rng.normal(size=num_labels + 1) * 1.5)
        self.pull = torch.from_numpy(rng.normal(size=(num_labels, num_labels + 1)) * 1.5)

    def start(self, features):
        return features.double(), torch.zeros(len(features), self.num_labels, dtype=torch.float64)

    def advance(self, state, labels):
        features, out = state
        return features, out.scatter(1, labels[:, None], 1.0)

    def log_probs(self, state, emitted):
        features, out = state
        logits = features + self.bias + out @ self.pull
        logits = logits.masked_fill(torch.nn.functional.pad(emitted, (0, 1)), -torch.inf)
        return logits.log_softmax(dim=1)


def reference(model, row, max_labels):
    """Label set in order and ranking of one input, by the definitions."""

    def greedy(limit, stop_from):
        out = []
        while len(out) < limit:
            state = model.start(row[None])
            for label in out:
                state = model.advance(state, torch.tensor([label]))
            emitted = torch.zeros(1, model.num_labels, dtype=torch.bool)
            emitted[0, out] = True
            scores = model.log_probs(state, emitted)[0].clone()
            if len(out) < stop_from:
                scores[-1] = -torch.inf
            best = int(scores.argmax())
            if best == model.num_labels:
                break
            out.append(best)
        return out

    limit = min(5, model.num_labels)
    return greedy(min(max_labels, model.num_labels), 0), greedy(limit, limit)


@given(st.integers(1, 8), st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**31))
@settings(max_examples=60)
def test_greedy_decoding_is_what_its_definition_says(num_labels, max_labels, num_rows, seed):
    model = TableModel(num_labels, seed)
    features = torch.from_numpy(np.random.default_rng(seed).normal(size=(num_rows, num_labels + 1)))
    predictions = decode_greedily(model, features, max_labels)
    for row in range(num_rows):
        chain, ranking = reference(model, features[row], max_labels)
        assert [label for label in predictions.chains[row].tolist() if label >= 0] == chain
        assert predictions.ranking[row].tolist() == ranking


def test_a_row_decodes_the_same_in_any_batch():
    model, features = TableModel(7), torch.randn(20, 8)
    together = decode_greedily(model, features, 6)
    for row in range(20):
        alone = decode_greedily(model, features[row : row + 1], 6)
        assert alone.ranking.tolist() == together.ranking[row : row + 1].tolist()
        assert [x for x in alone.chains[0] if x >= 0] == [x for x in together.chains[row] if x >= 0]


def test_averaging_a_model_with_itself_changes_nothing_and_two_are_a_mean():
    one, other, features = TableModel(5, 1), TableModel(5, 2), torch.randn(9, 6)
    alone = decode_greedily(one, features, 4)
    twice = decode_greedily(AveragedModel([one, one]), features, 4)
    assert alone.chains.tolist() == twice.chains.tolist()
    both = AveragedModel([one, other])
    emitted = torch.zeros(9, 5, dtype=torch.bool)
    state = both.start(features)
    expected = (
        one.log_probs(one.start(features), emitted).exp()
        + other.log_probs(other.start(features), emitted).exp()
    ) / 2
    torch.testing.assert_close(both.log_probs(state, emitted).exp(), expected)
    weighted = AveragedModel([one, other, other], [2.0, 1.0, 1.0])
    torch.testing.assert_close(weighted.log_probs(weighted.start(features), emitted).exp(), expected)
    assert both.state_parts == 4
    state = both.advance(state, torch.zeros(9, dtype=torch.int64))
    assert torch.equal(state[1], state[3])


def test_a_geometric_mean_is_that_of_the_odds():
    one, other, features = TableModel(5, 1), TableModel(5, 2), torch.randn(9, 6)
    both = AveragedModel([one, other], [3.0, 1.0], mean="geometric")
    emitted = torch.zeros(9, 5, dtype=torch.bool)
    emitted[:, 2] = True
    found = both.log_probs(both.start(features), emitted).exp()
    first, second = (model.log_probs(model.start(features), emitted).exp() for model in (one, other))
    product = first**0.75 * second**0.25
    torch.testing.assert_close(found, product / product.sum(dim=1, keepdim=True))
    assert found[:, 2].eq(0).all()
    least = AveragedModel([one, other], [1e-60, 1.0], mean="geometric")  # as float32, the weight is 0
    torch.testing.assert_close(least.log_probs(least.start(features), emitted).exp(), second)


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
@pytest.mark.parametrize(
    ("weights", "same"),
    [
        ([1e-200, 1e200], [0.0, 1.0]),
        ([1e308, 1e308], [0.5, 0.5]),
        ([5e-324, 5e-324], [0.5, 0.5]),
        ([1, 3], [0.25, 0.75]),
    ],
)
def test_weights_of_any_size_are_shares(weights, same, mean):
    one, other, features = TableModel(5, 1), TableModel(5, 2), torch.randn(9, 6)
    emitted = torch.zeros(9, 5, dtype=torch.bool)
    emitted[:, 2] = True
    both = AveragedModel([one, other], weights, mean)
    found = both.log_probs(both.start(features), emitted).exp()
    first, second = (model.log_probs(model.start(features), emitted).exp() for model in (one, other))
    if mean == "arithmetic":
        expected = same[0] * first + same[1] * second
    else:
        expected = first ** same[0] * second ** same[1]
        expected[:, 2] = 0
    torch.testing.assert_close(found, expected / expected.sum(dim=1, keepdim=True))


@pytest.mark.parametrize("models", [[], [TableModel(3), TableModel(4)]])
def test_averaging_nothing_or_models_of_different_labels_is_refused(models):
    with pytest.raises(ValueError, match="one or more models of the same number of labels"):
        AveragedModel(models)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, -1.0]])
def test_weights_that_are_no_weights_are_refused(weights):
    with pytest.raises(ValueError, match="a positive weight for each of 2 models"):
        AveragedModel([TableModel(3), TableModel(3)], weights)


def test_samples_never_repeat_a_label_and_stop_ends_them():
    model = TableModel(6)
    actions = sample_chains(model, torch.randn(500, 7), 4, torch.Generator().manual_seed(0))
    assert actions.shape[1] <= 4
    for row in actions.tolist():
        labels = [a for a in row if 0 <= a < 6]
        assert len(set(labels)) == len(labels)
        tail = row[len(labels) :]
        assert tail in ([6] + [-1] * (len(tail) - 1), [])


def test_samples_follow_the_distribution():
    model = TableModel(3, seed=4)
    features = torch.zeros(20_000, 4)
    actions = sample_chains(model, features, 3, torch.Generator().manual_seed(1))
    emitted = torch.zeros(1, 3, dtype=torch.bool)
    first = model.log_probs(model.start(features[:1]), emitted).exp()[0]
    frequencies = torch.bincount(actions[:, 0], minlength=4) / len(actions)
    torch.testing.assert_close(frequencies.double(), first, atol=0.015, rtol=0)
    after = model.advance(model.start(features[:1]), torch.tensor([1]))
    emitted[0, 1] = True
    second = model.log_probs(after, emitted).exp()[0]
    taken = actions[actions[:, 0] == 1, 1]
    frequencies = torch.bincount(taken, minlength=4) / len(taken)
    torch.testing.assert_close(frequencies.double(), second, atol=0.03, rtol=0)


def test_samples_are_labels_even_if_all_but_stop_is_as_good_as_impossible():
    model = TableModel(3, seed=4)
    features = torch.zeros(20_000, 4)
    likely = sample_chains(model, features, 3, torch.Generator().manual_seed(1), min_labels=3)
    model.bias[3] += 2000.0  # exp() of any other logarithm is 0
    model.pull[:, 3] = 0.0
    actions = sample_chains(model, features, 3, torch.Generator().manual_seed(1), min_labels=3)
    assert torch.equal(actions.sort(dim=1).values, torch.arange(3).expand(20_000, 3))
    frequencies = [torch.bincount(chains[:, 0]) / 20_000 for chains in (actions, likely)]
    torch.testing.assert_close(*frequencies, atol=0.001, rtol=0)


def test_the_same_generator_gives_the_same_samples():
    draws = [
        sample_chains(TableModel(6), torch.ones(50, 7), 5, torch.Generator().manual_seed(s))
        for s in (3, 3, 4)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_the_predictor_takes_numpy():
    predictor = ChainPredictor(TableModel(4), max_labels=3)
    predictions = predictor.predict(np.zeros((2, 5), dtype=np.float32))
    assert predictions.ranking.shape == (2, 4)
    assert predictions.ranking.dtype == np.int64


def test_label_sets_alone_are_those_of_the_prediction():
    predictor = ChainPredictor(TableModel(7, seed=3), max_labels=4)
    features = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    expected, found = predictor.predict(features).chains, predictor.label_sets(features)
    width = max(expected.shape[1], found.shape[1])
    both = [np.pad(c, ((0, 0), (0, width - c.shape[1])), constant_values=-1) for c in (expected, found)]
    np.testing.assert_array_equal(*both)
    assert len({*(expected >= 0).sum(axis=1).tolist()}) > 1  # chains of several lengths


def test_no_rows_have_no_answers():
    predictor = ChainPredictor(TableModel(4), 3)
    nothing = np.zeros((0, 1), np.float32)
    found = predictor.predict(nothing)
    assert (found.ranking.shape, found.chains.shape) == ((0, 4), (0, 1))
    assert predictor.label_sets(nothing).shape == (0, 1)
