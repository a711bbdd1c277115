"""The composite of target reordering and reinforcement learning (Nam et al., ICML 2019), in both forms.

*Output*: a target-reordering network and a policy-gradient network (or one of ``chain-q``), trained apart,
whose step distributions are averaged while decoding (the paper's description), with weights that depend on
the validation rows.
*Joint*: one network trained on a weighted sum of both losses (the authors' code).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelchain.agents.averaging import Mean
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.chain_pg import rl_objective, rl_phases
from labelchain.agents.checkpoints import (
    chain_predictor,
    load_chain_model,
    load_chain_records,
    save_chain_model,
)
from labelchain.agents.likelihood import Batch, LikelihoodObjective, Logs, Objective
from labelchain.agents.network_records import Record
from labelchain.agents.rollouts import training_figures
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import Progress, Run
from labelchain.agents.training import train
from labelchain.baselines.reordering import SampledOrder
from labelchain.envs import MultilabelDataset, evaluate
from labelchain.envs.metrics import row_scores

WEIGHTS = (0.7, 0.5, 0.9, 0.3, 0.1)
"""Weights of the second network that are tried; the first is taken unless another is clearly better."""
ERRORS = 2.0
"""A gain is clear if it is more than so many of its standard errors over the validation rows, which may be
few. A metric that pools all rows has no such error: any gain counts."""


class WeightedObjective:
    """``alpha`` times one loss plus ``1 - alpha`` times another."""

    def __init__(self, first: Objective, second: Objective, alpha: float) -> None:
        self.first = first
        self.second = second
        self.alpha = alpha

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """The weighted sum, and the figures of both."""
        first, first_logs = self.first.loss(network, batch, generator)
        second, second_logs = self.second.loss(network, batch, generator)
        steps = first_logs["env_steps"] + second_logs["env_steps"]
        logs = first_logs | second_logs | {"env_steps": steps}
        return self.alpha * first + (1.0 - self.alpha) * second, logs


def train_joint(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Train the joint form into a run's directory; return the number of inputs seen."""
    settings = run.settings
    reordering = LikelihoodObjective(SampledOrder(settings.chain_limit(dataset)))
    objective = WeightedObjective(rl_objective(settings, dataset), reordering, settings.alpha)
    return train(run, dataset, rl_phases(settings, "joint composite", objective), progress)


def combine_outputs(
    run: Run, dataset: MultilabelDataset, parts: Sequence[Path], mean: Mean = "arithmetic"
) -> int:
    """Write the output form from trained networks; return the number of inputs that they saw together.

    Args:
        run: The composite's run.
        dataset: The data, to log the validation metrics.
        parts: The directories of the runs to average, finished.
        mean: Which mean of their step distributions is taken.
    """
    limit = run.settings.chain_limit(dataset)
    contents = [load_chain_records(part / "model.pt", dataset) for part in parts]
    pair = len({Run.open(part).learner for part in parts}) == len(parts) == 2  # else nothing is chosen
    equal = not pair or run.settings.mixing == "equal"
    mixed = {
        family: _mixed(
            [record | {"mean": mean} for content in contents for record in content[family]],
            run,
            dataset,
            metric,
            equal,
        )
        for family, metric in run.settings.selection().items()
    }
    save_chain_model(run.directory / "model.pt", mixed["ranking"], mixed["label_set"], limit)
    seen = len(parts) * run.settings.epochs * len(dataset.rows("train"))
    run.forget_events()
    model = load_chain_model(run.directory / "model.pt", dataset, run.device)
    with RunLogger(run, seconds=sum(Run.open(part).seconds() for part in parts)) as logger:
        rollout, answers = training_figures(model, dataset, run.settings, run.seed)
        logger.scalars("train", answers, seen)
        logger.scalars("rollout", rollout, seen)
        logger.scalars("eval", evaluate(model, dataset, "validation").metrics, seen)
    return seen


def _mixed(
    records: list[Record], run: Run, dataset: MultilabelDataset, metric: str, equal: bool
) -> list[Record]:
    """Networks with equal weights, or two with those of :data:`WEIGHTS` that a validation metric prefers."""
    if equal:
        return [record | {"weight": 1.0 / len(records)} for record in records]
    first, second = records
    limit = run.settings.chain_limit(dataset)

    def weighted(weight: float) -> list[Record]:
        return [first | {"weight": 1.0 - weight}, second | {"weight": weight}]

    def scores(weight: float) -> NDArray[np.float64]:
        answers = evaluate(chain_predictor(weighted(weight), limit, run.device), dataset, "validation")
        of_rows = row_scores(answers.labels, answers.predictions)
        return np.atleast_1d(of_rows.get(metric, answers.metrics[metric]))  # pooled ones have no rows

    return weighted(clearly_best({weight: scores(weight) for weight in WEIGHTS}))


def clearly_best(scores: Mapping[float, NDArray[np.float64]]) -> float:
    """The first key, or the one whose gain over it is the largest in excess of :data:`ERRORS`.

    Args:
        scores: Of the same rows each, ``(n,)``; or one for all of them, ``(1,)``.
    """
    first = next(iter(scores))

    def sure_gain(key: float) -> float:
        gains = scores[key] - scores[first]
        return float(gains.mean() - ERRORS * gains.std() / len(gains) ** 0.5)

    return max(scores, key=sure_gain)  # that of the first is 0
