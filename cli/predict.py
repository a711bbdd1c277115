"""``labelchain predict``: label sets and rankings of a file's rows, as CSV or JSON lines, row by row."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from rich.markup import escape

from labelchain.agents.decoders import DECIDES, Decoding
from labelchain.agents.devices import CPU
from labelchain.agents.rollouts import label_set_part, ranking_part
from labelchain.agents.runs import Run
from labelchain.baselines.prediction import BATCH, decided, dense_batches
from labelchain.baselines.prediction_models import TrainedModel, open_model
from labelchain.cli.data import load
from labelchain.cli.errors import UsageError, working
from labelchain.cli.trained import read_as
from labelchain.envs.datasets.feature_rows import feature_rows
from labelchain.envs.files import check_output, written_beside
from labelchain.envs.metrics import RANKED, RANKING_METRICS

Format = Literal["csv", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)
HEADINGS = ("row", "labels", "probabilities", *(f"rank_{k}" for k in range(1, RANKED + 1)))
BETWEEN = ";"
"""Between the labels of a set in CSV."""


def predict_file(
    run_directory: Path,
    path: Path,
    decoding: Decoding,
    form: Format,
    out: Path | None,
    zero_based: bool | None,
    device: torch.device = CPU,
) -> None:
    """Write a line for each row of a file.

    Args:
        run_directory: Of a finished run.
        path: The rows.
        decoding: How networks are read.
        form: How lines are written.
        out: The file that is written, beside and renamed; or ``None`` for standard output.
        zero_based: Whether the features of LIBSVM's text are numbered from 0; ``None``: as in training.
        device: Where a chain network is read.

    Raises:
        UsageError: If the model or the labels do not go with what is asked.
        DatasetError: If the file cannot be read or does not fit the model.
        OSError: If ``out`` is no path of a file.
        RunError: If the run is not finished or damaged.
    """
    if out is not None:
        check_output(out)
    torch.set_num_threads(1)  # the same sums whatever the number of cores, as in training
    run = Run.open(run_directory, device)
    model = open_model(run, load)
    if form == "csv" and (odd := [name for name in model.columns.label_names if BETWEEN in name]):
        raise UsageError(f"the label {odd[0]!r} holds {BETWEEN!r}, which parts labels in CSV: take jsonl")
    if out is None:
        _print(_lines(model, path, decoding, run, form, zero_based, quiet=sys.stdout.isatty()))
        return
    batches = _lines(model, path, decoding, run, form, zero_based)
    with written_beside(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(batches)


def format_named(name: str | None, out: Path | None) -> Format:
    """The format of that name; without one, the format that a file's name ends with, or else CSV.

    Raises:
        UsageError: If there is no such format.
    """
    if name is None:
        return "jsonl" if out is not None and out.suffix.lower() in (".jsonl", ".json") else "csv"
    for form in FORMATS:
        if form == name:
            return form
    raise UsageError(f"unknown format {name!r}: expected one of {', '.join(FORMATS)}")


def _print(batches: Iterator[str]) -> None:
    try:
        for text in batches:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # of "| head": nobody reads on, and Python must not flush at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lines(
    model: TrainedModel,
    path: Path,
    decoding: Decoding,
    run: Run,
    form: Format,
    zero_based: bool | None,
    quiet: bool = False,
) -> Iterator[str]:
    """The text of the output, a batch at a time."""
    columns, names = model.columns, model.columns.label_names
    ranker, reader = ranking_part(model.predictor), None
    if DECIDES[decoding][0] in RANKING_METRICS:
        ranker = read_as(ranker, decoding, run)
    else:
        reader = read_as(label_set_part(model.predictor), decoding, run)
    done = 0
    parts = feature_rows(
        path,
        columns.num_features,
        names,
        size=BATCH,
        zero_based=columns.zero_based if zero_based is None else zero_based,
        feature_names=columns.feature_names,
    )
    with nullcontext() if quiet else working(f"predicting {path}") as status:
        for features in (batch for part in parts for batch in dense_batches(part)):
            chains, shares = decided(model.predictor, features, len(names), reader)
            rows = _rows(done, chains, shares, ranker.predict(features).ranking, names)
            if form == "csv":
                yield _csv([*([] if done else [HEADINGS]), *map(_cells, rows)])
            else:
                yield "".join(json.dumps(row) + "\n" for row in rows)
            done += len(features)
            if status is not None:
                status.update(escape(f"predicting {path}: {done:,} rows"))
    if form == "csv" and not done:  # a table without rows has its headings
        yield _csv([HEADINGS])


def _rows(
    first: int,
    chains: NDArray[np.int64],
    shares: NDArray[np.floating],
    ranking: NDArray[np.int64],
    names: Sequence[str],
) -> list[dict[str, Any]]:
    held = chains >= 0
    shares = shares.astype(np.float64).round(4)
    return [
        {
            "row": first + number,
            "labels": [names[label] for label in chains[number][held[number]]],
            "probabilities": shares[number][held[number]].tolist(),
            "ranking": [names[label] for label in ranking[number] if label >= 0],
        }
        for number in range(len(chains))
    ]


def _cells(row: dict[str, Any]) -> list[Any]:
    ranking = [*row["ranking"][:RANKED], *[""] * (RANKED - len(row["ranking"]))]
    return [
        row["row"],
        BETWEEN.join(row["labels"]),
        BETWEEN.join(f"{share:.4f}" for share in row["probabilities"]),
        *ranking,
    ]


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
