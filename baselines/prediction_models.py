"""The model of a run, with the names of its labels, wherever the data it learned from are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labelchain.agents.runs import Run
from labelchain.agents.sb3 import ALGORITHMS
from labelchain.baselines.learners import learner_named
from labelchain.baselines.prediction_columns import Columns
from labelchain.envs import MultilabelDataset
from labelchain.envs.evaluation import Predictor


@dataclass(frozen=True)
class TrainedModel:
    """What a run has learned.

    Attributes:
        predictor: Predicts from ``(n, num_features)``.
        columns: What goes in and comes out.
    """

    predictor: Predictor
    columns: Columns


def open_model(run: Run, load: Callable[[str], MultilabelDataset]) -> TrainedModel:
    """The model of a finished run.

    Args:
        run: The run.
        load: Loads its data set by name; asked if the run is of an earlier version, which did not keep its
            columns, or of Stable-Baselines3, whose agents know their environment.

    Raises:
        RunError: If the run was not trained, or is damaged.
    """
    learner = learner_named(run.learner)
    columns = Columns.load(run.directory)
    if columns is None or run.learner in ALGORITHMS:
        dataset = load(run.dataset)
        return TrainedModel(learner.load(run, dataset), Columns.of(dataset))
    return TrainedModel(learner.load(run, columns.without_rows()), columns)
