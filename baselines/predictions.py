"""What a finished run says of every test row, under every decoding, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelchain.agents.decoders import DECIDES, DECODINGS, Decoding, under_decoding
from labelchain.agents.plain_values import shown
from labelchain.agents.runs import Run, RunError
from labelchain.envs import MultilabelDataset, evaluate
from labelchain.envs.datasets.npz_archive import load_arrays
from labelchain.envs.evaluation import Predictor
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import RANKING_METRICS, Predictions, checked_lists

FILE = "predictions.npz"

Decoded = dict[Decoding, Predictions]
"""Predictions by decoding. ``chain`` is always there, and all there is of a model without chains."""


def decoded(model: Predictor, dataset: MultilabelDataset, beam_width: int, split: str = "test") -> Decoded:
    """Predict a split under every decoding that the model has.

    Args:
        model: Any predictor; one without chains predicts in its own way only, kept as ``chain``.
        dataset: The data.
        beam_width: Width of the decoding ``beam``.
        split: Name of the split.
    """
    found: Decoded = {"chain": evaluate(model, dataset, split).predictions}
    for decoding in DECODINGS[1:]:
        other = under_decoding(model, decoding, beam_width)
        if other is not None:
            found[decoding] = evaluate(other, dataset, split).predictions
    return found


def save_predictions(directory: Path, predictions: Decoded) -> None:
    """Write ``predictions.npz`` beside a run's result: what each decoding decides, and no more."""
    arrays: dict[str, NDArray[np.int32]] = {}
    for decoding, each in predictions.items():
        if DECIDES[decoding][0] in RANKING_METRICS:
            arrays[f"{decoding}/ranking"] = each.ranking.astype(np.int32)
        if DECIDES[decoding][-1] not in RANKING_METRICS:
            arrays[f"{decoding}/chains"] = each.chains.astype(np.int32)
    with written_beside(directory / FILE) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def load_predictions(run: Run, num_rows: int, num_labels: int) -> Decoded:
    """Read what :func:`save_predictions` wrote; never runs code from the file.

    Args:
        run: A finished run.
        num_rows: How many test rows there are.
        num_labels: L.

    Raises:
        RunError: If the file is missing, damaged, or of other numbers of rows and labels.
    """
    path = run.directory / FILE
    if not path.exists():
        raise RunError(
            f"{path} does not exist: the run is of an earlier version, or its folder was moved in part; "
            "remove the folder and train again"
        )
    try:
        arrays = {
            name: _indices(name, array, num_rows, num_labels) for name, array in load_arrays(path).items()
        }
        if "expected-f1/chains" not in arrays:  # of a version whose beams were chains, not sets
            arrays.pop("beam/chains", None)
        chain = Predictions(arrays["chain/ranking"], arrays["chain/chains"])
        found: Decoded = {
            decoding: Predictions(
                arrays.get(f"{decoding}/ranking", chain.ranking),
                arrays.get(f"{decoding}/chains", chain.chains),
            )
            for decoding in DECODINGS
            if any(name.startswith(f"{decoding}/") for name in arrays)
        }
    except (KeyError, ValueError) as error:
        raise RunError(
            f"{path} does not hold the predictions of a run on these data, or is damaged ({error}); "
            "remove its folder and train again"
        ) from error
    return found


def _indices(name: str, array: NDArray[Any], num_rows: int, num_labels: int) -> NDArray[np.int64]:
    """One array, checked."""
    decoding, _, part = name.partition("/")
    if decoding not in DECODINGS or part not in ("ranking", "chains"):
        raise ValueError(f"unknown array {shown(name)}")
    lists = checked_lists(array, num_labels, name)
    if len(lists) != num_rows or lists.shape[1] == 0:
        raise ValueError(f"expected {num_rows} rows of {name}, got shape {lists.shape}")
    return lists
