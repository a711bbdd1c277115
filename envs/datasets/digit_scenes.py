"""DigitScenes: pictures of two to four real handwritten digits, some blurred (built in, no download)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.datasets import load_digits

from labelchain.envs.datasets.dataset import MultilabelDataset

NUM_SCENES = {"train": 3600, "validation": 400, "test": 2000}
SHARE_OF_SCANS = {"train": 0.6, "validation": 0.07, "test": 0.33}
"""No scan serves two splits, so that validation scores foretell test scores."""
TILE = 8
SIDE = 2 * TILE
BLUR_PROBABILITY = 0.5
INK = 0.4
"""What is left of the ink of a blurred digit, where that of a clear one is up to 1, and paper is 0."""
NOISE = 0.4
"""Standard deviation of the pixel noise on a blurred digit."""


def digit_scenes(seed: int = 0) -> MultilabelDataset:
    """Make the DigitScenes data set.

    The handwriting is real (the 1,797 scans of :func:`sklearn.datasets.load_digits`); the scenes are
    composed. Each input is a 16 x 16 picture with two to four digits, one to a quadrant; the labels are the
    digits present. The digits of a scene are a run ``start, start + step, ...`` modulo 10 with step 1 or 3,
    so labels depend on each other, and each digit is blurred with probability 1/2, which leaves it faint
    under pixel noise, so *which* label is error-prone differs from input to input. Each split has its own
    scans: 60 % of them compose the training scenes, 7 % the validation scenes and 33 % the test scenes.

    Args:
        seed: Seeds the composition; the same seed gives the same arrays, bit for bit.

    Returns:
        6,000 rows (3,600 training, 400 validation, 2,000 test), 256 features in [0, 1], 10 labels.
        ``annotations["blurred"]`` marks the digits that were blurred. The same object for the same seed.
    """
    return _make(seed)


@lru_cache(maxsize=4)
def _make(seed: int) -> MultilabelDataset:
    scans, digits = load_digits(return_X_y=True)
    scans = (scans / 16.0).reshape(-1, TILE, TILE)
    rng = np.random.default_rng(seed)
    bounds = np.cumsum(list(SHARE_OF_SCANS.values()))[:-1]
    pools = np.split(rng.permutation(len(scans)), (len(scans) * bounds).astype(int))
    parts = [
        _compose(rng, scans[pool], digits[pool], num_scenes)
        for pool, num_scenes in zip(pools, NUM_SCENES.values(), strict=True)
    ]
    pictures, labels, blurred = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    train, validation, test = np.split(np.arange(len(labels)), np.cumsum(list(NUM_SCENES.values()))[:-1])
    return MultilabelDataset.from_arrays(
        "digit-scenes",
        pictures.reshape(-1, SIDE * SIDE),
        labels,
        train_rows=train,
        validation_rows=validation,
        test_rows=test,
        label_names=[str(digit) for digit in range(10)],
        image_shape=(SIDE, SIDE),
        annotations={"blurred": sparse.csr_array(blurred.astype(np.int8))},
    )


def _compose(
    rng: np.random.Generator, scans: NDArray[np.float64], digits: NDArray[np.int64], num_scenes: int
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.bool_]]:
    """Pictures ``(num_scenes, 16, 16)``, labels and blurred digits ``(num_scenes, 10)``."""
    size = rng.integers(2, 5, num_scenes)
    start = rng.integers(0, 10, num_scenes)
    step = rng.choice([1, 3], num_scenes)
    shown = np.arange(4) < size[:, None]  # (num_scenes, 4)
    digit = (start[:, None] + step[:, None] * np.arange(4)) % 10  # (num_scenes, 4)
    blur = shown & (rng.random((num_scenes, 4)) < BLUR_PROBABILITY)

    scan_of_digit = np.empty((num_scenes, 4), dtype=np.int64)
    for value in range(10):
        chosen = digit == value
        scan_of_digit[chosen] = rng.choice(np.flatnonzero(digits == value), int(chosen.sum()))
    tiles = scans[scan_of_digit] * shown[..., None, None]  # (num_scenes, 4, 8, 8)
    noise = rng.normal(0.0, NOISE, tiles.shape)
    tiles = np.where(blur[..., None, None], np.clip(INK * tiles + noise, 0.0, 1.0), tiles)

    quadrant = rng.permuted(np.tile(np.arange(4), (num_scenes, 1)), axis=1)
    tiles = np.take_along_axis(tiles, quadrant[..., None, None], axis=1)
    pictures = tiles.reshape(num_scenes, 2, 2, TILE, TILE).swapaxes(2, 3).reshape(num_scenes, SIDE, SIDE)

    rows = np.broadcast_to(np.arange(num_scenes)[:, None], digit.shape)
    labels = np.zeros((num_scenes, 10), dtype=np.int8)
    labels[rows[shown], digit[shown]] = 1
    blurred = np.zeros((num_scenes, 10), dtype=bool)
    blurred[rows[blur], digit[blur]] = True
    return pictures.astype(np.float32), labels, blurred
