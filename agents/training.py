"""The training loop that every network learner shares: phases, validation, model selection, resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.checkpoints import FORMAT, load_tensors, save_chain_model, save_tensors
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.devices import random_state_kept, seed_random
from labelchain.agents.gradient_step import check_optimiser, gradient_step, optimiser_of, state_on_cpu
from labelchain.agents.likelihood import Batch, Objective, shuffled_batches
from labelchain.agents.network_records import (
    LARGEST_WEIGHT,
    Record,
    check_same_shape,
    network_of,
    record_of,
)
from labelchain.agents.networks import make_network
from labelchain.agents.plain_values import check_number, fields_of
from labelchain.agents.rollouts import training_figures
from labelchain.agents.run_logger import RunLogger
from labelchain.agents.runs import Progress, Run, RunError
from labelchain.agents.stopping import stopping_record
from labelchain.agents.whole_batch import from_first, is_first, shared, totals
from labelchain.envs import MultilabelDataset, evaluate


@dataclass(frozen=True)
class Phase:
    """Some epochs with one objective; the learning rate falls to zero along a cosine."""

    name: str
    objective: Objective
    epochs: int
    learning_rate: float


@dataclass
class Selection:
    """The best model so far for one family of metrics."""

    score: float = -math.inf
    record: Record = field(default_factory=dict)


def train_for(objective: Objective, run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """As :func:`train`, with one objective in all epochs."""
    settings = run.settings
    phase = Phase(run.learner, objective, settings.epochs, settings.learning_rate)
    return train(run, dataset, [phase], progress)


def train(
    run: Run,
    dataset: MultilabelDataset,
    phases: Sequence[Phase],
    progress: Progress,
    prepare: Callable[[ChainNetwork, MultilabelDataset], None] | None = None,
) -> int:
    """Train a chain network, and write ``model.pt`` with the models that the validation rows select.

    Models are selected among all epochs, those of a warm-up too, for rankings and for label sets apart: a
    reward that does not care when a chain stops improves only the former.

    After each epoch everything needed to go on is written to ``last.pt``; a run that was stopped goes on from
    there and ends bit-equal to one that was not, since all randomness of an epoch follows from the seed and
    the epoch's number.

    In processes of one group of ``torch.distributed`` that call this together, each takes its share of the
    rows of every batch; the first alone evaluates and writes.

    Args:
        run: Where to, with which settings.
        dataset: The data.
        phases: One after the other.
        progress: Told how far it is.
        prepare: Changes the new network before its first step.

    Returns:
        The number of inputs seen.

    Raises:
        RunError: If the loss is not finite, a weight too large, or ``last.pt`` is damaged.
    """
    phases = [phase for phase in phases if phase.epochs > 0]
    total = sum(phase.epochs for phase in phases)
    seen = total * len(dataset.rows("train"))
    last, model_path = run.directory / "last.pt", run.directory / "model.pt"
    if from_first(model_path.exists()):
        last.unlink(missing_ok=True)  # of a run that was stopped between its last two operations
        run.earlier_seconds = run.trained_seconds()
        return seen
    with random_state_kept(run.device):
        seed_random(run.seed, run.device)
        network = make_network(dataset, run.settings.network())
        if prepare is not None:
            prepare(network, dataset)
        network.to(run.device)
        state = _TrainingState(network, run.settings.selection())
        saved = from_first(load_tensors(last) if is_first() and last.exists() else None)
        if saved is not None:
            state.restore(saved, phases, last)
        elif is_first():
            run.forget_events()  # of an epoch that was stopped before it was saved
        run.earlier_seconds = state.seconds
        limit = run.settings.chain_limit(dataset)
        rows = dataset.rows("train")
        purge_step = state.epoch * len(rows) + 1 if state.epoch else None
        with RunLogger(run, purge_step, state.seconds) if is_first() else nullcontext() as logger:
            while state.epoch < total:
                phase, epoch_in_phase = _phase_of(phases, state.epoch)
                if epoch_in_phase == 0:
                    state.begin(phase)
                figures, speed = _epoch(run, dataset, phase, epoch_in_phase, state)
                state.epoch += 1
                state.env_steps += round(figures.pop("env_steps"))
                if logger is None:
                    continue
                step = state.epoch * len(rows)
                model = ChainPredictor(state.network.eval(), limit, run.device)
                metrics = evaluate(model, dataset, "validation").metrics
                seed = _seed(run, state.epoch, 1)  # not that of the next epoch
                rollout, answers = training_figures(model, dataset, run.settings, seed)
                logger.scalars("train", figures | answers, step)
                logger.scalars("rollout", rollout, step)
                logger.scalars("eval", metrics, step)
                logger.scalars("time", {"env_steps": state.env_steps, "inputs_per_second": speed}, step)
                state.seconds = logger.seconds
                state.select(metrics)
                save_tensors(last, state.content())
                progress(state.epoch / total, f"{phase.name}, nDCG@5 {metrics['nDCG@5']:.1f}")
    if not is_first():
        return seen
    run.note_trained(state.seconds)
    ranking, label_set = (state.best[family].record for family in ("ranking", "label_set"))
    if run.settings.stop == "validated":
        label_set = stopping_record(label_set, dataset, limit, run.settings.label_set_metric, run.device)
    save_chain_model(model_path, [ranking], [label_set], limit)
    last.unlink(missing_ok=True)
    return seen


class _TrainingState:
    """What changes while training."""

    def __init__(self, network: ChainNetwork, selection: dict[str, str]) -> None:
        self.network = network
        self.epoch = 0
        self.env_steps = 0
        self.seconds = 0.0
        self.selection = selection
        self.best = {family: Selection() for family in selection}

    def begin(self, phase: Phase) -> None:
        self.optimiser = optimiser_of(self.network, phase.learning_rate)

    def select(self, metrics: dict[str, float]) -> None:
        for family, metric in self.selection.items():
            if metrics[metric] > self.best[family].score:
                self.best[family] = Selection(metrics[metric], record_of(self.network))

    def content(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "epoch": self.epoch,
            "env_steps": self.env_steps,
            "seconds": self.seconds,
            "network": record_of(self.network),
            "optimiser": state_on_cpu(self.optimiser),
            "best": {family: {"score": s.score, "record": s.record} for family, s in self.best.items()},
        }

    def restore(self, content: dict[str, Any], phases: Sequence[Phase], path: Path) -> None:
        try:
            self._restore(content, phases)
        except ValueError as error:
            raise RunError(
                f"{path} does not belong to this run ({error}); remove it to start again"
            ) from error

    def _restore(self, content: dict[str, Any], phases: Sequence[Phase]) -> None:
        fields_of(content, ("format", "epoch", "env_steps", "seconds", "network", "optimiser", "best"), "it")
        check_number(content["epoch"], "epoch", int, least=1, most=sum(phase.epochs for phase in phases))
        check_number(content["env_steps"], "env_steps", int, least=0)
        check_number(content["seconds"], "seconds", float, least=0.0)
        for family, best in fields_of(content["best"], self.selection, "best").items():
            fields_of(best, ("score", "record"), family)
            check_number(best["score"], "score", float)
        for record in (content["network"], *(best["record"] for best in content["best"].values())):
            network_of(record)
            check_same_shape(record, self.network)
        self.begin(phases[0])
        check_optimiser(content["optimiser"], self.optimiser)
        self.epoch, self.env_steps = content["epoch"], content["env_steps"]
        self.seconds = content["seconds"]
        self.network.load_state_dict(content["network"]["state"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.best = {family: Selection(**best) for family, best in content["best"].items()}


def _phase_of(phases: Sequence[Phase], epoch: int) -> tuple[Phase, int]:
    """The phase that an epoch falls in, and its number within the phase."""
    for phase in phases:
        if epoch < phase.epochs:
            return phase, epoch
        epoch -= phase.epochs
    raise IndexError("epoch past the last phase")


def _epoch(
    run: Run, dataset: MultilabelDataset, phase: Phase, epoch_in_phase: int, state: _TrainingState
) -> tuple[dict[str, float], float]:
    """Train one epoch; return the mean of each logged figure with the sum of ``env_steps``, and its speed.

    The speed is in inputs per second.
    """
    begun = time.perf_counter()
    seed = _seed(run, state.epoch)
    seed_random(seed, run.device)
    generator = torch.Generator(run.device).manual_seed(seed)
    batches = shuffled_batches(dataset.rows("train"), run.settings.batch_size, seed)
    network = state.network.train()
    bfloat16 = run.settings.precision == "bfloat16"
    figures: dict[str, list[float]] = {}
    for number, rows in enumerate(batches):
        done = (epoch_in_phase + number / len(batches)) / phase.epochs
        for group in state.optimiser.param_groups:
            group["lr"] = phase.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
        with shared(len(rows)) as own:
            batch = Batch.of(dataset, rows, run.device, own)
            with torch.autocast(run.device.type, torch.bfloat16, enabled=bfloat16):
                loss, logs = phase.objective.loss(network, batch, generator)
            logs = {"loss": loss.item(), **logs}
            for name, value in zip(logs, totals(list(logs.values())), strict=True):
                figures.setdefault(name, []).append(value)
            where = f"batch {number + 1} (rows {rows[:3].tolist()}, ...)"
            if not math.isfinite(figures["loss"][-1]):
                raise _blown_up(run, state, f"loss of {run.learner} became {figures['loss'][-1]}", where)
            try:
                gradient_step(network, state.optimiser, loss, run.settings.clip)
            except FloatingPointError as error:
                raise _blown_up(run, state, f"gradient of {run.learner} is not finite", where) from error
    if not all(bool((weights.abs() <= LARGEST_WEIGHT).all()) for weights in network.parameters()):
        raise _blown_up(
            run, state, f"weights of {run.learner} rose above {LARGEST_WEIGHT:g}", "its last batch"
        )
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    means["env_steps"] = float(sum(figures["env_steps"]))
    means["learning_rate"] = state.optimiser.param_groups[0]["lr"]
    return means, sum(map(len, batches)) / (time.perf_counter() - begun)


def _blown_up(run: Run, state: _TrainingState, what: str, where: str) -> RunError:
    """The error of a training that came to numbers that are not finite, or too large to be a model's."""
    last_good = f"; epoch {state.epoch} is in {run.directory / 'last.pt'}" if state.epoch else ""
    return RunError(
        f"the {what} in epoch {state.epoch + 1}, {where}{last_good}; try a lower learning rate in another "
        "folder"
    )


def _seed(run: Run, *place: int) -> int:
    """What all randomness of a place in training follows from."""
    return int(np.random.SeedSequence([run.seed, *place]).generate_state(1)[0])
