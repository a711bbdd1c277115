"""Positions, error rates, and what is decided first, on chains small enough to count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from labelchain.baselines.decision_order import (
    clear_first,
    decisions,
    easy_first,
    mean_decisions,
    pair_orders,
    right_before_wrong,
)
from labelchain.envs import MultilabelDataset
from labelchain.envs.metrics import Predictions
from labelchain.envs.positions import error_rates, mean_positions

CHAINS = np.array([[2, 0, -1], [0, -1, -1], [1, 2, 0]])
TRUE = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 0]])


def test_positions_are_means_over_the_chains_that_have_the_label():
    np.testing.assert_allclose(mean_positions(CHAINS, 4), [2.0, 1.0, 1.5, np.nan])


def test_error_rates_count_what_is_false_and_what_is_missed():
    np.testing.assert_allclose(error_rates(csr_array(TRUE), CHAINS), [1 / 3, 0.0, 1 / 3, np.nan])


def test_what_is_not_emitted_counts_as_last_and_pairs_never_emitted_as_one_half():
    blurred = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0]])
    true = np.vstack([TRUE, [1, 0, 1, 0], [1, 1, 0, 0]])
    data = MultilabelDataset.from_arrays(
        "scenes",
        np.zeros((7, 1)),
        np.vstack([true, [[1, 0, 0, 0]] * 2]),
        train_rows=[5, 6],
        test_rows=range(5),
        annotations={"blurred": csr_array(np.vstack([blurred, np.zeros((2, 4))]).astype(np.int8))},
    )
    chains = np.vstack([CHAINS, [0, 3, -1], [-1, -1, -1]])
    # Row 0: 2 before 0 (right). Row 2: 0 behind 1 and 2 (two wrong). Row 3: 0 before the missing 2 (right).
    # Row 4: neither is there.
    assert clear_first(data, chains) == pytest.approx((2 + 0.5) / 5)
    assert clear_first(data, np.full((5, 1), -1)) == 0.5


def test_data_that_do_not_say_what_is_blurred_have_no_share(dataset):
    assert clear_first(dataset, np.full((20, 1), -1)) is None


def test_the_surer_of_two_true_labels_is_the_easy_one():
    labels = csr_array(TRUE)
    sureness = np.array([0.9, 0.1, 0.5, 0.2, 0.4, 0.8])  # row 0: 0, 2; row 1: 2; row 2: 0, 1, 2
    # Row 0: 2 before 0, the sure one (wrong). Row 2: 1, 2, 0 with 2 > 1 > 0: only 1 before 2 is wrong.
    assert easy_first(labels, CHAINS, sureness) == pytest.approx(2 / 4)
    assert easy_first(labels, np.full((3, 1), -1), sureness) == 0.5
    assert easy_first(csr_array(np.eye(3)), CHAINS, sureness[:3]) is None


@given(st.integers(0, 2**31))
@settings(max_examples=30)
def test_right_before_wrong_is_the_mean_over_pairs(seed):
    rng = np.random.default_rng(seed)
    true = rng.random((4, 6)) < 0.4
    ranking = np.stack([rng.permutation(6)[:4] for _ in range(4)])
    pairs = [
        i < j
        for row in range(4)
        for i in range(4)
        for j in range(4)
        if true[row, ranking[row, i]] and not true[row, ranking[row, j]]
    ]
    found = right_before_wrong(csr_array(true.astype(np.int8)), ranking)
    assert found == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_pair_orders_tell_fixed_orders_from_those_that_depend_on_the_input():
    fixed = np.tile([3, 1, 2], (12, 1))
    orders = pair_orders(fixed, 4)
    assert orders.seen.tolist() == [12, 12, 12]
    assert orders.share.tolist() == [1.0, 1.0, 1.0]
    mixed = np.vstack([fixed[:9], np.tile([1, 3, 0], (3, 1))])  # 1 and 3 in 12 inputs, others in fewer
    orders = pair_orders(mixed, 4)
    assert orders.seen.tolist() == [12]
    assert orders.share.tolist() == [0.75]


def test_decisions_leave_out_what_cannot_be_counted(dataset):
    rows = dataset.rows("test")
    ranking = np.tile(np.arange(2), (len(rows), 1))
    found = decisions(dataset, Predictions(ranking, ranking), None)
    assert found["one_order"] == 100.0
    assert not {"easy_first", "clear_first"} & found.keys()
    wrong = 100.0 * (1.0 - dataset.labels[rows].toarray()[:, :2].mean(axis=0))
    np.testing.assert_allclose(found["error_at_rank"], wrong)
    assert mean_decisions([found, found]) == found
    assert "one_order" not in mean_decisions([found, {"error_at_rank": found["error_at_rank"]}])
