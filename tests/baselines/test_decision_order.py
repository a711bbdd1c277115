"""Positions, error rates, and what is clear before what is blurred, on chains small enough to count."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from labelchain.baselines.decision_order import clear_before_blurred
from labelchain.envs import MultilabelDataset
from labelchain.envs.positions import error_rates, mean_positions

CHAINS = np.array([[2, 0, -1], [0, -1, -1], [1, 2, 0]])
TRUE = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 0]])


def test_positions_are_means_over_the_chains_that_have_the_label():
    np.testing.assert_allclose(mean_positions(CHAINS, 4), [2.0, 1.0, 1.5, np.nan])


def test_error_rates_count_what_is_false_and_what_is_missed():
    np.testing.assert_allclose(error_rates(csr_array(TRUE), CHAINS), [1 / 3, 0.0, 1 / 3, np.nan])


def test_what_is_not_emitted_counts_as_last_and_pairs_never_emitted_do_not_count():
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
    assert clear_before_blurred(data, chains) == pytest.approx(50.0)


def test_data_that_do_not_say_what_is_blurred_have_no_share(dataset):
    assert clear_before_blurred(dataset, np.full((20, 1), -1)) is None
