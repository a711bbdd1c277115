"""Settings that suit a data set, searched on its validation rows with Optuna (the extra ``tune``)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from labelchain.agents.devices import CPU
from labelchain.agents.plain_values import is_finite, shown
from labelchain.agents.runs import Progress, Run, RunError, alone_in, read_json, write_json
from labelchain.agents.settings import Settings
from labelchain.baselines.learners import FOUR_ORDERS, UnknownLearnerError, learner_named
from labelchain.envs import MultilabelDataset, evaluate

if TYPE_CHECKING:
    import optuna

RL = ("chain-pg", "composite-joint")
TUNABLE = (*FOUR_ORDERS, "target-reordering", "order-free", "chain-q", *RL)
"""Learners with one network, which the settings shape."""
METRIC = "nDCG@5"
"""The validation metric that is sought high."""
SEARCHED: dict[str, Callable[[optuna.Trial], Any]] = {
    "width": lambda trial: trial.suggest_categorical("width", [128, 256, 512, 1024]),
    "dropout": lambda trial: round(trial.suggest_float("dropout", 0.0, 0.8, step=0.1), 1),
    "input_dropout": lambda trial: round(trial.suggest_float("input_dropout", 0.0, 0.5, step=0.1), 1),
    "slope": lambda trial: round(trial.suggest_float("slope", 0.0, 0.5, step=0.1), 1),
    "learning_rate": lambda trial: trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
    "rl_learning_rate": lambda trial: trial.suggest_float("rl_learning_rate", 5e-5, 1e-3, log=True),
}
"""How a trial proposes each setting; the last is for learners of :data:`RL`."""


def tune(
    learner: str,
    dataset: MultilabelDataset,
    name: str,
    seed: int,
    settings: Settings,
    out: Path,
    trials: int,
    progress: Callable[[str, int], Progress],
    device: torch.device = CPU,
    fixed: Collection[str] = (),
) -> dict[str, Any]:
    """Train with settings that Optuna proposes, and write the best to ``tuned.json``.

    Each trial lies in ``out/trial-<number>``. Proposals follow from the seed and the scores so far alone, so
    that a search that was stopped goes on, or is extended, by doing it again: finished trials are only read.

    Args:
        learner: Name of a learner in :data:`TUNABLE`.
        dataset: The data; the test rows are not looked at.
        name: What names the data set.
        seed: Seeds the search and every training.
        settings: What is not searched.
        out: The folder.
        trials: How many settings are tried.
        progress: Gives the progress callback of a trial, from the learner and the number of the trial.
        device: Where networks are trained.
        fixed: Settings that are not searched; they are as in ``settings``.

    Returns:
        What ``tuned.json`` holds: the best score and settings, and those of every trial.

    Raises:
        UnknownLearnerError: If the learner is unknown or has nothing to tune.
        RunError: If Optuna is not installed, ``out`` holds another search or one on data that have
            changed since, all settings are fixed, or training fails.
    """
    learner_named(learner)
    if learner not in TUNABLE:
        raise UnknownLearnerError(f"{learner!r} cannot be tuned: expected one of {', '.join(TUNABLE)}")
    of_learner = [name for name in SEARCHED if learner in RL or name != "rl_learning_rate"]
    searched = [name for name in of_learner if name not in fixed]
    if not searched:
        raise RunError(f"nothing to search: of {', '.join(of_learner)}, leave one that is not set")
    try:
        import optuna
    except ImportError as error:
        raise RunError("tuning needs Optuna: pip install 'labelchain[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    tried: list[dict[str, Any]] = []
    with alone_in(out):
        for number in range(trials):
            trial = study.ask()
            changes = {name: SEARCHED[name](trial) for name in searched}
            proposed = settings.with_changes(changes)
            run = Run(out / f"trial-{number}", learner, name, seed, proposed, device)
            score = _validation_score(run, dataset, partial(progress, learner, number))
            study.tell(trial, score)
            tried.append({"score": score, "settings": changes})
        best = max(tried, key=lambda each: float(each["score"]))
        found = {"learner": learner, "dataset": name, "metric": METRIC, "best": best, "trials": tried}
        write_json(out / "tuned.json", found)
    return found


def _validation_score(run: Run, dataset: MultilabelDataset, start: Callable[[], Progress]) -> float:
    """Train a trial, unless it is finished, and score it on the validation rows."""
    run.create(dataset)
    path = run.directory / "validation.json"
    if not path.exists():
        learner = learner_named(run.learner)
        assert learner.train is not None
        learner.train(run, dataset, start())
        write_json(path, evaluate(learner.load(run, dataset), dataset, "validation").metrics)
    score = read_json(path).get(METRIC)
    if not is_finite(score):
        raise RunError(f"{path} does not hold validation metrics: {METRIC} is {shown(score)}; remove it")
    return float(score)
