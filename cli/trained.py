"""A finished run as commands ask for it: with its data, and read in the way that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from labelchain.agents.decoders import Decoding, under_decoding
from labelchain.agents.devices import CPU
from labelchain.agents.runs import Run
from labelchain.baselines.in_memory import IN_MEMORY
from labelchain.baselines.learners import learner_named
from labelchain.baselines.prediction_columns import Columns
from labelchain.cli.data import load
from labelchain.cli.errors import UsageError
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor


class Trained(NamedTuple):
    """A finished run, data, and the model that was trained."""

    run: Run
    data: MultilabelDataset
    model: Predictor


def open_trained(
    run_directory: Path, dataset: str | None, test: Path | None, device: torch.device = CPU
) -> Trained:
    """A finished run with its own data, or with others.

    Args:
        run_directory: Of the run.
        dataset: Other data, by name or path.
        test: The test file that goes with them.
        device: Where a chain network is read.

    Raises:
        UsageError: If there is a test file without data, or the run learned from arrays in memory and no
            data are given.
        RunError: If the run is not finished or damaged.
        DatasetError: If the data cannot be loaded, or do not have the columns of the training.
    """
    if test is not None and dataset is None:
        raise UsageError("--test goes with --dataset, the training file")
    run = Run.open(run_directory, device)
    if dataset is None and run.dataset.startswith(IN_MEMORY):
        raise UsageError(
            "the run learned from arrays in memory, which are not kept: give data by --dataset, or ask the "
            "ChainClassifier itself"
        )
    data = load(dataset or run.dataset, test)
    return Trained(run, data, model_for(run, data))


def model_for(run: Run, data: MultilabelDataset) -> Predictor:
    """The model of a finished run, for data that are shown to have its columns.

    Raises:
        RunError: If the run is not finished or damaged.
        DatasetError: If the data do not have the columns of the training.
    """
    columns = Columns.load(run.directory)
    if columns is not None:
        columns.check_names(data)
    return learner_named(run.learner).load(run, data)


def read_as(model: Predictor, decoding: Decoding, run: Run) -> Predictor:
    """A run's model under a decoding.

    What has no chains has its own way only, named like the networks' first.

    Raises:
        UsageError: If the model has no such decoding.
    """
    if decoding == "chain":
        return model
    other = under_decoding(model, decoding, run.settings.beam_width)
    if other is None:
        raise UsageError(f"{run.learner} has no chains: --decoding is for networks")
    return other
