"""A data set of arrays in memory, all of whose rows are for training."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.datasets.checks import as_features, as_image_shape, hold_out

IN_MEMORY = "memory-"
"""What the names of data sets from memory begin with; what follows tells their contents apart."""


def in_memory(
    X: Any, labels: sparse.csr_array, label_names: list[str], image_shape: tuple[int, int] | None = None
) -> MultilabelDataset:
    """A data set all of whose rows are for training, a tenth of them to choose models.

    Its test rows are those again: they give no result, but learners take them to report on.

    Args:
        X: ``(n, num_features)`` finite float32, an array or CSR.
        labels: ``(n, L)`` int8 CSR of ones.
        label_names: L names.
        image_shape: ``(height, width)`` if each row is a picture.

    Raises:
        ValueError: If there are too few rows, or features and labels do not go together.
    """
    num_rows = labels.shape[0]
    if X.shape[0] != num_rows:
        raise ValueError(f"X has {X.shape[0]} rows, but y has {num_rows}; give the labels of each row")
    if num_rows < 2:
        raise ValueError(f"n_samples={num_rows}: a tenth is held out to choose models, so two are needed")
    if image_shape is not None:
        image_shape = as_image_shape(image_shape, X.shape[1], "X")
    features = as_features(X, "X")
    train, validation = hold_out(np.arange(num_rows), "X")
    splits = {"train": train, "validation": validation, "test": validation}
    dataset = MultilabelDataset("", features, labels, splits, tuple(label_names), image_shape=image_shape)
    # The same arrays are not enough: pixels are scaled in another way, and a run keeps names of labels.
    content = repr((dataset.fingerprint, image_shape, dataset.label_names))
    return replace(dataset, name=f"{IN_MEMORY}{hashlib.sha256(content.encode()).hexdigest()[:16]}")
