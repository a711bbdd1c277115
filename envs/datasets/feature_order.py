"""Features of a file in the order of training, told by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelchain.envs.datasets.arff_rows import shorten
from labelchain.envs.datasets.checks import DatasetError


def trained_order(path: Path, names: Sequence[str], trained: Sequence[str]) -> NDArray[np.int64] | None:
    """Where each feature of the training is among those of a file; ``None`` if they are in that order.

    Args:
        path: The file, for messages.
        names: Of its features.
        trained: Of the features of the training.

    Raises:
        DatasetError: If a name is missing or unknown, or features of one name are not where they were.
    """
    if [*names] == [*trained]:
        return None
    places = {name: place for place, name in enumerate(names)}
    known = set(trained)
    faults = {
        "lacks": [repr(name) for name in trained if name not in places],
        "has the unknown": [repr(name) for name in names if name not in known],
    }
    if any(faults.values()):
        found = " and ".join(f"{what} {shorten(listed)}" for what, listed in faults.items() if listed)
        raise DatasetError(
            f"{path}: its features are not those that the model was trained on: it {found}; give a file made "
            "as the training data were, in any order"
        )
    if not len(names) == len(places) == len(trained):
        raise DatasetError(
            f"{path}: some of its features have the same name, so that they cannot be told apart: give them "
            "in the order of the training data"
        )
    return np.array([places[name] for name in trained], dtype=np.int64)
