"""Callbacks for Stable-Baselines3's ``learn``: exact evaluation, and what follows from it.

>>> from labelchain.agents.chain_vec_env import ChainVecEnv
>>> from sb3_contrib import MaskablePPO
>>> env = ChainVecEnv("digit-scenes", num_envs=8, reward="f1", seed=0)
>>> evaluation = ExactEvaluation(
...     env.dataset, every=256, after=[EarlyStopping("f1_example", patience=3), OrderStatistics()]
... )
>>> model = MaskablePPO("MultiInputPolicy", env, n_steps=32, batch_size=64, seed=0, device="cpu")
>>> model = model.learn(512, callback=evaluation)
>>> sorted(evaluation.metrics)[:3]
['P@1', 'P@3', 'P@5']
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, EventCallback

from labelchain.agents.sb3_policies import check_observations, policy_predictor
from labelchain.envs import Evaluation, MultilabelDataset, evaluate
from labelchain.envs.files import save_beside
from labelchain.envs.metrics import CHAIN_METRICS, LOWER_IS_BETTER
from labelchain.envs.positions import counts_in_chains, mean_positions

Log = Callable[[str, Mapping[str, float], int], None]
"""Writes ``prefix/name`` for each value at a step, as ``RunLogger.scalars`` does."""


class ExactEvaluation(EventCallback):
    """Evaluates the policy now and then, greedily and with masks, on every row of a split exactly once.

    Logs ``eval/<metric>``, ``chain/<metric>`` (length, repeats, first error) and ``time/env_steps``, and
    evaluates at the end of the training too.

    Args:
        dataset: The data.
        every: Environment steps between evaluations.
        split: The split to evaluate on.
        max_labels: Chain limit of the label sets; by default that of the environment.
        after: Callbacks to call after each evaluation, such as :class:`EarlyStopping`.
        log: Where the figures go, with the number of inputs seen (episodes finished) as their step; by
            default to the agent's own logger, with environment steps.

    Attributes:
        metrics: Those of the last evaluation, as :func:`labelchain.envs.metrics.summarise` gives them.
        evaluation: The last evaluation itself.
        inputs_seen: Episodes finished so far.
    """

    def __init__(
        self,
        dataset: MultilabelDataset,
        every: int = 10_000,
        *,
        split: str = "validation",
        max_labels: int | None = None,
        after: Sequence[BaseCallback] = (),
        log: Log | None = None,
    ) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1 environment step, got {every}")
        super().__init__(CallbackList(list(after)))
        self.dataset = dataset
        self.every = every
        self.split = split
        self.max_labels = max_labels
        self.metrics: dict[str, float] = {}
        self.evaluation: Evaluation | None = None
        self.inputs_seen = 0
        self._log = log
        self._due = every
        self._evaluated_at = -1

    def write(self, prefix: str, values: Mapping[str, float]) -> None:
        """Log ``prefix/name`` for each value, beside those of the last evaluation."""
        if self._log is not None:
            self._log(prefix, values, self.inputs_seen)
            return
        for name, value in values.items():
            self.logger.record(f"{prefix}/{name}", value)

    def _on_training_start(self) -> None:
        check_observations(self.model)
        super()._on_training_start()
        self._evaluated_at = -1
        self._due = self.num_timesteps + self.every
        if self.max_labels is None:
            self.max_labels = int(self.training_env.get_attr("max_labels")[0])

    def _on_step(self) -> bool:
        self.inputs_seen += int(np.sum(self.locals["dones"]))
        # What the last rollout ends with is evaluated after the policy has learned from it.
        if not self._due <= self.num_timesteps < self.locals["total_timesteps"]:
            return True
        self._due += self.every * (1 + (self.num_timesteps - self._due) // self.every)
        return self._evaluate()

    def _on_training_end(self) -> None:
        if self._evaluated_at != self.num_timesteps:
            self._evaluate()
        assert self.callback is not None
        self.callback.on_training_end()

    def _evaluate(self) -> bool:
        """Evaluate, log, and call what comes after; whether the training goes on."""
        assert self.max_labels is not None  # known since the training started
        self._evaluated_at = self.num_timesteps
        self.evaluation = evaluate(policy_predictor(self.model, self.max_labels), self.dataset, self.split)
        self.metrics = self.evaluation.metrics
        of_chains = {name: self.metrics[name] for name in CHAIN_METRICS}
        self.write("eval", {name: v for name, v in self.metrics.items() if name not in of_chains})
        self.write("chain", of_chains)
        self.write("time", {"env_steps": self.num_timesteps})
        going = self._on_event()
        if self._log is None:
            self.logger.dump(self.num_timesteps)
        return going


class _AfterEvaluation(BaseCallback):
    """A callback of an :class:`ExactEvaluation`."""

    @property
    def last(self) -> ExactEvaluation:
        """What was evaluated.

        Raises:
            ValueError: If the callback was given to ``learn`` itself.
        """
        if not isinstance(self.parent, ExactEvaluation):
            name = type(self).__name__
            raise ValueError(
                f"{name} looks at evaluations: pass it as ExactEvaluation(..., after=[{name}(...)])"
            )
        return self.parent


class _Improving(_AfterEvaluation):
    """Keeps the best value of a metric.

    Attributes:
        metric: Its name.
        best: The best value so far, NaN before the first evaluation.
    """

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.metric = metric
        self.best = math.nan

    def improves(self) -> bool:
        """Whether the last evaluation is the best so far.

        Raises:
            ValueError: If there is no such metric.
        """
        metrics = self.last.metrics
        if self.metric not in metrics:
            raise ValueError(f"metric must be one of {', '.join(metrics)}, got {self.metric!r}")
        value = metrics[self.metric]
        sign = -1.0 if self.metric in LOWER_IS_BETTER else 1.0
        if not math.isnan(self.best) and sign * value <= sign * self.best:
            return False
        self.best = value
        return True


class EarlyStopping(_Improving):
    """Stops the training when a metric has not improved for some evaluations.

    Each call of ``learn`` has its patience anew, and one that counts time steps from 0 its best value too.

    Args:
        metric: Its name, such as ``f1_example`` or ``nDCG@5``.
        patience: How many evaluations in a row may bring no improvement; one more stops the training.
    """

    def __init__(self, metric: str, patience: int = 5) -> None:
        if patience < 0:
            raise ValueError(f"patience must be at least 0, got {patience}")
        super().__init__(metric)
        self.patience = patience
        self._waited = 0

    def _on_training_start(self) -> None:
        self._waited = 0
        if self.num_timesteps == 0:
            self.best = math.nan

    def _on_step(self) -> bool:
        self._waited = 0 if self.improves() else self._waited + 1
        return self._waited <= self.patience


class BestCheckpoint(_Improving):
    """Saves the agent whenever a metric is the best so far; a reader never sees half a file.

    The best so far is that of all trainings that it sees.

    Args:
        path: The file; ``.zip`` is added unless its name ends so.
        metric: Its name, such as ``f1_example`` or ``nDCG@5``.
    """

    def __init__(self, path: str | Path, metric: str) -> None:
        super().__init__(metric)
        path = Path(path)
        self.path = path if path.suffix == ".zip" else path.with_name(f"{path.name}.zip")

    def _on_step(self) -> bool:
        if self.improves():
            save_beside(self.path, self.model.save)
        return True


class OrderStatistics(_AfterEvaluation):
    """Logs in which order labels are decided, see :func:`order_statistics`, as ``chain/<name>``."""

    def _on_step(self) -> bool:
        last = self.last
        assert last.evaluation is not None
        frequencies = last.dataset.label_frequencies("train")
        last.write("chain", order_statistics(last.evaluation.predictions.chains, frequencies))
        return True


def order_statistics(chains: NDArray[np.int64], frequencies: NDArray[np.int64]) -> dict[str, float]:
    """In which order labels are decided, in three figures.

    - ``labels_used``: how many labels are in any chain.
    - ``rank_correlation``: Spearman's, between the mean position of a label in its chains and its frequency;
      -1 if frequent labels always come first; left out where it is not defined.
    - ``position_deviation``: the standard deviation of the position of a label from input to input, mean over
      labels; 0 if each label always has the same place.

    >>> order_statistics(np.array([[2, 0, 1], [2, 0, -1]]), np.array([20, 10, 30]))
    {'labels_used': 3.0, 'position_deviation': 0.0, 'rank_correlation': -1.0}

    Args:
        chains: ``(n, length)`` distinct labels in order, padded with -1.
        frequencies: ``(num_labels,)`` training rows with each label.
    """
    num_labels = len(frequencies)
    used = np.flatnonzero(counts_in_chains(chains, num_labels))
    if used.size == 0:
        return {"labels_used": 0.0}
    mean = mean_positions(chains, num_labels)[used]
    square = mean_positions(chains, num_labels, power=2)[used]
    figures = {
        "labels_used": float(used.size),
        "position_deviation": float(np.sqrt(np.maximum(square - mean**2, 0.0)).mean()),
    }
    if np.ptp(mean) > 0 and np.ptp(frequencies[used]) > 0:
        figures["rank_correlation"] = float(spearmanr(mean, frequencies[used]).statistic)
    return figures
