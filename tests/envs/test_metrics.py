"""Metrics against scikit-learn, to 1e-9, on random label sets."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import metrics as sklearn_metrics

from labelchain.envs.metrics import (
    RANKING_METRICS,
    Predictions,
    canonical,
    chain_scores,
    checked_lists,
    label_set_scores,
    lookup,
    pooled_f1,
    ranking_scores,
    row_scores,
    stacked,
    summarise,
)


@st.composite
def problems(draw):
    """True and predicted indicators (n, L), with empty rows and labels that never occur among them."""
    num_rows, num_labels = draw(st.integers(1, 12)), draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.floats(0, 1))
    true = rng.random((num_rows, num_labels)) < density
    predicted = np.where(rng.random(true.shape) < 0.6, true, rng.random(true.shape) < density)
    return true, predicted, rng


def chains_of(indicators, rng):
    """Each row's labels in random order, padded with -1."""
    rows = [rng.permutation(np.flatnonzero(row)) for row in indicators]
    width = max(1, *(len(row) for row in rows))
    return np.array([np.pad(row, (0, width - len(row)), constant_values=-1) for row in rows]).astype(np.int64)


@given(problems())
def test_label_set_metrics_agree_with_scikit_learn(problem):
    true, predicted, rng = problem
    chains = chains_of(predicted, rng)
    labels = sparse.csr_array(true.astype(np.int8))
    rows = label_set_scores(labels, chains)
    pooled = pooled_f1(labels, chains)
    expected = {
        "subset_accuracy": sklearn_metrics.accuracy_score(true, predicted),
        "accuracy": sklearn_metrics.jaccard_score(true, predicted, average="samples", zero_division=1.0),
        "f1_example": sklearn_metrics.f1_score(true, predicted, average="samples", zero_division=1.0),
        "hamming_loss": sklearn_metrics.hamming_loss(true, predicted),
    }
    for name, value in expected.items():
        assert rows[name].mean() == pytest.approx(value, abs=1e-9), name
    for average in ("micro", "macro"):
        value = sklearn_metrics.f1_score(true, predicted, average=average, zero_division=0.0)
        assert pooled[f"f1_{average}"] == pytest.approx(value, abs=1e-9)
    present = true.any(axis=0) | predicted.any(axis=0)
    if present.any():
        columns = np.flatnonzero(present)
        value = sklearn_metrics.f1_score(true, predicted, labels=columns, average="macro", zero_division=0.0)
        assert pooled["f1_macro_present"] == pytest.approx(value, abs=1e-9)


@given(problems())
@settings(max_examples=60)
def test_ranking_metrics_agree_with_scikit_learn(problem):
    true, _, rng = problem
    num_labels = true.shape[1]
    scores = rng.permuted(np.tile(np.arange(num_labels, dtype=float), (len(true), 1)), axis=1)
    ranking = np.argsort(-scores, axis=1)
    rows = ranking_scores(sparse.csr_array(true.astype(np.int8)), ranking)
    for k in (3, 5):
        expected = sklearn_metrics.ndcg_score(true, scores, k=k)
        assert rows[f"nDCG@{k}"].mean() == pytest.approx(expected, abs=1e-9)
    for k in (1, 3, 5):
        hits = [true[i, ranking[i, :k]].sum() / k for i in range(len(true))]
        np.testing.assert_allclose(rows[f"P@{k}"], hits)


@given(problems(), st.integers(0, 10))
def test_metrics_do_not_depend_on_the_order_of_rows(problem, seed):
    true, predicted, rng = problem
    labels, chains = sparse.csr_array(true.astype(np.int8)), chains_of(predicted, rng)
    order = np.random.default_rng(seed).permutation(len(true))
    before = summarise(labels, Predictions(chains, chains))
    after = summarise(labels[order], Predictions(chains[order], chains[order]))
    assert after == pytest.approx(before)


@given(problems())
def test_label_set_metrics_do_not_depend_on_the_names_of_labels(problem):
    true, predicted, rng = problem
    order = rng.permutation(true.shape[1])
    summaries = [
        summarise(sparse.csr_array(t.astype(np.int8)), Predictions(c, c))
        for t, c in ((true, chains_of(predicted, rng)), (true[:, order], chains_of(predicted[:, order], rng)))
    ]
    assert summaries[0]["f1_macro"] == pytest.approx(summaries[1]["f1_macro"])
    assert summaries[0]["hamming_loss"] == pytest.approx(summaries[1]["hamming_loss"])


def test_known_values_of_ranking_metrics():
    labels = sparse.csr_array(np.array([[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=np.int8))
    rows = ranking_scores(labels, np.array([[2, 0, 3, 1, 4], [0, 1, 2, 3, 4]]))
    assert rows["P@1"].tolist() == [0.0, 0.0]
    assert rows["P@3"] == pytest.approx([1 / 3, 0.0])
    assert rows["P@5"] == pytest.approx([2 / 5, 0.0])
    ideal = 1 + 1 / np.log2(3)
    assert rows["nDCG@5"] == pytest.approx([(1 / np.log2(3) + 1 / np.log2(5)) / ideal, 0.0])


def test_lookup_ignores_padding_and_handles_no_labels_at_all():
    labels = sparse.csr_array(np.array([[0, 1], [1, 0]], dtype=np.int8))
    assert lookup(labels, np.array([[1, -1], [-1, 1]])).tolist() == [[True, False], [False, False]]
    assert not lookup(sparse.csr_array((3, 2), dtype=np.int8), np.array([[0], [1], [-1]])).any()


def test_chain_scores_count_repeats_and_find_the_first_error():
    labels = sparse.csr_array(np.array([[1, 1, 0]] * 4, dtype=np.int8))
    scores = chain_scores(labels, np.array([[0, 2, 1], [0, 0, 1], [0, 1, -1], [-1, -1, -1]]))
    assert scores["length"].tolist() == [3, 3, 2, 0]
    assert scores["repeats"].tolist() == [0, 1, 0, 0]
    assert scores["first_error"].tolist() == [2, 4, 3, 1]
    labels = sparse.csr_array(np.array([[0, 1, 1]] * 3, dtype=np.int8))
    scores = chain_scores(labels, np.array([[0, 1, 1], [1, 2, 0], [2, 1, 1]]))
    assert scores["repeats"].tolist() == [1, 0, 1]
    assert scores["first_error"].tolist() == [1, 3, 4]


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ([[3, 0, 1], [2, -1, -1], [-1, -1, -1]], True),
        ([[0, 0, -1]], True),
        ([[1, 2, -1, -1]], True),
        ([[-1, 0, 1]], False),
        ([[1, -1, 0]], False),
        ([[1, 2, 3], [4, -1, 5]], False),
        ([[0]], True),
    ],
)
def test_padding_is_at_the_end_of_every_list_or_not(lists, expected):
    if expected:
        np.testing.assert_array_equal(checked_lists(lists, 5, "chains", distinct=False), lists)
        return
    with pytest.raises(ValueError, match="chains must be padded with -1 at their ends"):
        checked_lists(lists, 6, "chains")


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[0, 5]], r"must hold labels 0\.\.4 and -1, got 0\.\.5"),
        ([[-2]], "got -2"),
        ([[0.0]], r"integers \(n, length\), got shape \(1, 1\) of float64"),
        ([0, 1], r"got shape \(2,\)"),
        ([[1, 2], [3, 3]], r"no label twice, got \[3, 3\] in row 1"),
    ],
)
def test_lists_that_are_none_of_distinct_labels_are_refused(lists, message):
    with pytest.raises(ValueError, match=message):
        checked_lists(lists, 5, "chains")


def test_summary_is_in_per_cent():
    labels = sparse.csr_array(np.array([[1, 0, 0]], dtype=np.int8))
    summary = summarise(labels, Predictions(np.array([[0, 1, 2]]), np.array([[0]])))
    assert summary["subset_accuracy"] == summary["P@1"] == 100.0
    assert summary["P@5"] == pytest.approx(20)
    assert summary["hamming_loss"] == 0.0
    assert summary["length"] == 1.0
    assert set(RANKING_METRICS) < set(summary)


def test_predictions_of_different_lengths_concatenate():
    parts = [
        Predictions(np.array([[0, 1]]), np.array([[0]])),
        Predictions(np.array([[1, 0]]), np.array([[1, 0]])),
    ]
    assert Predictions.concatenate(parts).chains.tolist() == [[0, -1], [1, 0]]
    assert stacked([np.array([[0]]), np.array([[3, 1, 2]])]).tolist() == [[0, -1, -1], [3, 1, 2]]


def test_predictions_cannot_be_exchanged():
    with pytest.raises(FrozenInstanceError):
        Predictions(np.zeros((1, 5)), np.zeros((1, 1))).chains = np.ones((1, 1))


def test_pooled_f1_where_there_is_nothing_to_predict_and_nothing_predicted():
    found = pooled_f1(sparse.csr_array((2, 3), dtype=np.int8), np.array([[-1], [-1]]))
    assert found == {"f1_micro": 0.0, "f1_macro": 0.0, "f1_macro_present": 0.0}


@given(problems())
def test_the_order_of_columns_repeats_and_stored_zeros_count_for_nothing(problem):
    true, predicted, rng = problem
    chains = chains_of(predicted, rng)
    predictions = Predictions(chains, chains)
    labels = sparse.csr_array(true.astype(np.int8))
    rows = [rng.permutation(np.arange(true.shape[1])) for _ in true]  # all columns, zeros too, and one again
    columns = np.concatenate([np.append(row, row[0]) for row in rows])
    values = np.concatenate(
        [np.append(each[row], each[row[0]]) for each, row in zip(true, rows, strict=True)]
    )
    ends = np.arange(len(true) + 1) * (true.shape[1] + 1)
    given = sparse.csr_array((values.astype(np.int8), columns, ends), shape=true.shape)
    before = [part.copy() for part in (given.data, given.indices, given.indptr)]
    assert summarise(given, predictions) == summarise(labels, predictions)
    found = row_scores(given, predictions)
    for name, expected in row_scores(labels, predictions).items():
        np.testing.assert_array_equal(found[name], expected)
    for part, kept in zip((given.data, given.indices, given.indptr), before, strict=True):
        np.testing.assert_array_equal(part, kept)


def test_label_sets_in_order_are_not_copied():
    labels = sparse.csr_array(np.eye(3, dtype=np.int8))
    assert canonical(labels) is labels
