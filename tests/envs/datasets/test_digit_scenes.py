"""DigitScenes: what its splits share, and what not."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from labelchain.envs.datasets.digit_scenes import SIDE, TILE, digit_scenes


def tiles_of(dataset, split):
    """The pictures of single digits in a split, each as bytes; blurred ones occur only once anyway."""
    pictures = dataset.dense_features(dataset.rows(split)).reshape(-1, 2, TILE, 2, TILE)
    tiles = pictures.swapaxes(2, 3).reshape(-1, TILE * TILE)
    return {tile.tobytes() for tile in tiles if tile.any()}


@pytest.mark.parametrize("seed", [0, 1])
def test_no_scan_serves_two_splits(seed):
    tiles = {split: tiles_of(digit_scenes(seed), split) for split in ("train", "validation", "test")}
    assert len(tiles["validation"]) > 400
    for one, other in combinations(tiles, 2):
        assert not tiles[one] & tiles[other], (one, other)


def test_scenes_have_two_to_four_digits_in_runs_and_half_of_them_are_blurred():
    dataset = digit_scenes()
    labels = dataset.dense_labels(np.arange(dataset.labels.shape[0]))
    assert set(np.unique(labels.sum(axis=1))) == {2, 3, 4}
    blurred = dataset.annotations["blurred"].toarray().astype(bool)
    assert not (blurred & ~labels.astype(bool)).any()
    assert blurred.sum() / labels.sum() == pytest.approx(0.5, abs=0.02)
    assert dataset.num_features == SIDE * SIDE


def test_clear_digits_are_scans_as_they_are_and_blurred_ones_are_faint():
    dataset = digit_scenes()
    scans = {scan.astype(np.float32).tobytes() for scan in load_digits().data / 16.0}
    counts = dataset.labels.sum(axis=1), dataset.annotations["blurred"].sum(axis=1)
    tiles = dataset.dense_features(np.arange(len(counts[0]))).reshape(-1, 2, TILE, 2, TILE).swapaxes(2, 3)
    tiles = tiles.reshape(-1, 4, TILE * TILE)
    clear = np.array([[tile.tobytes() in scans for tile in scene] for scene in tiles])
    shown = tiles.any(axis=2)
    assert (shown.sum(axis=1) == counts[0]).all()
    assert ((shown & ~clear).sum(axis=1) == counts[1]).all()
    brightest = np.quantile(tiles, 0.8, axis=2)
    assert brightest[shown & ~clear].mean() < 0.6 < brightest[clear].mean()
