"""``ChainPG``: policy gradients on whole label chains, with the interface of Stable-Baselines3's algorithms.

>>> from labelchain.agents.chain_pg_algorithm import ChainPG
>>> model = ChainPG("ChainPolicy", "labelchain/DigitScenes-v0", reward="f1", seed=0)
>>> model = model.learn(5_000)
"""

from __future__ import annotations

import time
from typing import Any, Literal

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from torch import Tensor

from labelchain.agents.chain_algorithm import ChainAlgorithm
from labelchain.agents.chain_pg import rl_objective
from labelchain.agents.chain_policy import ChainPolicy
from labelchain.agents.gradient_step import gradient_step
from labelchain.agents.likelihood import Batch, LikelihoodObjective, Logs, RandomOrder, count_steps
from labelchain.agents.policy_gradient import Baseline, RLObjective, Rollout
from labelchain.agents.settings import Settings
from labelchain.agents.time_steps import TimeSteps
from labelchain.envs.rewards import make_reward


class ChainPG(ChainAlgorithm):
    """Trains a :class:`ChainPolicy` by policy gradients.

    It knows an environment of labelchain from the inside: instead of stepping it, it draws batches of
    inputs of its split, each once an epoch, samples a whole chain for each in one call, and pays it as the
    environment would. That is many times faster than stepping, and the numbers mean the same: a time step is
    one action of one episode, whether its chain is drawn or given, and callbacks are called once every
    ``n_envs`` steps. Wrappers that change observations or rewards have no effect on the training.

    For a reward of the first k ranks (``ndcg@k``, ``precision@k``), which does not care when a chain stops,
    the ``all-actions`` estimator draws other chains than the environment's episodes: of k labels, without
    STOP, whatever ``max_labels`` is. Time steps and ``rollout/`` figures are of those.

    :meth:`save` writes SB3's zip file, which holds pickled objects: load only files that you trust.

    Args:
        policy: ``"ChainPolicy"``, or a class derived from it.
        env: An environment of labelchain, its id, or a ``VecEnv`` of them.
        learning_rate: Adam's, a number or a function of the share of the training that remains.
        estimator: How the gradient is estimated: from the rewards of all actions at every step, or from the
            sampled ones alone (Nam et al. 2019).
        reward: The name of the reward to train on; by default the environment's.
        discount: Discount of later rewards, in [0, 1], 0 by default (``sampled``).
        entropy: Weight of the entropy bonus, 0.01 by default (``sampled``).
        baseline: What is subtracted from returns, ``"value"`` by default (``sampled``), see
            :class:`labelchain.agents.policy_gradient.PolicyGradientObjective`.
        batch_size: Inputs per gradient step.
        clip: Largest gradient norm.
        warmup: Share of the time steps, at the beginning, in which the network learns the true labels in
            random orders by maximum likelihood.
        stats_window_size: Episodes that ``rollout/`` figures are the means of.
        tensorboard_log: Folder for TensorBoard, if any.
        policy_kwargs: Arguments of the policy, such as ``{"cell": "gru", "width": 512}``.
        verbose: 1 prints what is logged.
        seed: Seeds everything random.
        device: Where the network lies.
        _init_setup_model: Whether to make the network now.

    Raises:
        ValueError: If the environment is another, a value is out of range or a name unknown, or the
            ``all-actions`` estimator is given an argument of the ``sampled`` one.
    """

    def __init__(
        self,
        policy: str | type[ChainPolicy],
        env: GymEnv | str | None,
        learning_rate: float | Schedule = 1e-3,
        *,
        estimator: Literal["all-actions", "sampled"] = "all-actions",
        reward: str | None = None,
        discount: float | None = None,
        entropy: float | None = None,
        baseline: Baseline | None = None,
        batch_size: int = 128,
        clip: float = 10.0,
        warmup: float = 0.0,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        _init_setup_model: bool = True,
    ) -> None:
        super().__init__(
            policy,
            env,
            learning_rate,
            batch_size,
            policy_kwargs=policy_kwargs,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            seed=seed,
        )
        self.estimator = estimator
        self.reward = reward
        self.discount = discount
        self.entropy = entropy
        self.baseline = baseline
        self.clip = clip
        self.warmup = warmup
        self._likelihood = LikelihoodObjective(RandomOrder())
        if _init_setup_model:
            self._setup_model()

    def _read_env(self) -> None:
        super()._read_env()
        sampled = {"discount": self.discount, "entropy": self.entropy, "baseline": self.baseline}
        given: dict[str, Any] = {name: value for name, value in sampled.items() if value is not None}
        if given and self.estimator == "all-actions":
            raise ValueError(
                f"{', '.join(given)} belong to estimator='sampled'; 'all-actions' looks at the next reward "
                "of every action, and needs none of them: leave them out"
            )
        settings = Settings().with_changes(
            {
                "estimator": self.estimator,
                "reward": self._data.reward if self.reward is None else self.reward,
                "max_labels": self._data.max_labels,
                "batch_size": self.batch_size,
                "clip": self.clip,
                "warmup": self.warmup,
                **given,
            }
        )
        self._objective: RLObjective = rl_objective(settings, self._data.dataset)
        self._paid = make_reward(settings.reward, self._data.dataset.num_labels)

    def collect_rollout(
        self, batch: Batch, generator: torch.Generator, callback: BaseCallback
    ) -> Rollout | None:
        """A chain for each input, told to the callback step by step; ``None`` if that ends the training.

        The episodes come one after the other, so that ``dones``, ``rewards`` and ``infos`` among the
        callback's locals are those of ``n_envs`` time steps in a row.
        """
        callback.on_rollout_start()
        if self._warming_up:
            stops = torch.full_like(batch.labels[:, :1], self.policy.network.num_labels)
            rollout = Rollout(torch.cat([batch.labels, stops], dim=1), count_steps(batch.labels))
        else:
            rollout = self._objective.draw(self.policy.network, batch, generator)
        steps = self._time_steps(rollout, batch)
        for first in range(0, rollout.env_steps, self.n_envs):
            now = slice(first, first + self.n_envs)
            self.num_timesteps += len(steps.dones[now])
            callback.update_locals(
                {"dones": steps.dones[now], "rewards": steps.rewards[now], "infos": steps.infos[now]}
            )
            if not callback.on_step():
                return None
        callback.on_rollout_end()
        return rollout

    def train(self, batch: Batch, rollout: Rollout, generator: torch.Generator) -> None:
        """One gradient step on a rollout."""
        network = self.policy.network.train()
        loss, logs = self._loss(batch, rollout, generator)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss became {loss.item()}: try a lower learning_rate")
        self._update_learning_rate(self.policy.optimizer)
        norm = gradient_step(network, self.policy.optimizer, loss, self.clip)
        self._n_updates += 1
        del logs["env_steps"]  # counted already
        for name, value in logs.items():
            self.logger.record_mean(f"train/{name}", value)
        self.logger.record_mean("train/loss", loss.item())
        self.logger.record_mean("train/gradient_norm", norm)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    @property
    def _warming_up(self) -> bool:
        return self._current_progress_remaining > 1.0 - self.warmup

    def _loss(self, batch: Batch, rollout: Rollout, generator: torch.Generator) -> tuple[Tensor, Logs]:
        if self._warming_up:
            return self._likelihood.loss(self.policy.network, batch, generator)
        return self._objective.loss_on(self.policy.network, batch, rollout, generator)

    def _time_steps(self, rollout: Rollout, batch: Batch) -> TimeSteps:
        """The steps of a rollout; its episodes go into the statistics, if the policy drew them."""
        if self._warming_up:
            return TimeSteps.given(rollout)
        seconds = (time.time_ns() - self.start_time) / 1e9
        steps = TimeSteps.drawn(rollout, batch, self._paid, self.policy.network.num_labels, seconds)
        self._update_info_buffer(*steps.ended)
        return steps

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_objective", "_likelihood", "_paid"]
