"""What Stable-Baselines3 asks of an algorithm, for those that train a chain policy on batches of inputs."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import safe_mean

from labelchain.agents.chain_policy import Arrays, ChainPolicy, Observation
from labelchain.agents.env_data import EnvData, warn_of_wrappers
from labelchain.agents.likelihood import Batch, shuffled_batches
from labelchain.agents.policy_gradient import Rollout
from labelchain.agents.scaling import Scaling, scaling_for


class ChainAlgorithm(BaseAlgorithm):
    """Draws batches of inputs of an environment's split, each input once an epoch, and learns from them.

    A derived class says what a batch is used for, in :meth:`collect_rollout` and :meth:`train`, and calls
    :meth:`_setup_model` at the end of its constructor.

    Args:
        policy: ``"ChainPolicy"``, or a class derived from it.
        env: An environment of labelchain, its id, or a ``VecEnv`` of them.
        learning_rate: A number or a function of the share of the training that remains.
        batch_size: Inputs per gradient step.
        **arguments: Further ones of ``BaseAlgorithm``.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"ChainPolicy": ChainPolicy}
    policy: ChainPolicy

    def __init__(
        self,
        policy: str | type[ChainPolicy],
        env: GymEnv | str | None,
        learning_rate: float | Schedule,
        batch_size: int,
        **arguments: Any,
    ) -> None:
        super().__init__(policy, env, learning_rate, support_multi_env=True, **arguments)
        self.batch_size = batch_size
        self._scaling: Scaling = "none" if self.env is None else scaling_for(EnvData.of(self.env).dataset)

    @abstractmethod
    def collect_rollout(
        self, batch: Batch, generator: torch.Generator, callback: BaseCallback
    ) -> Rollout | None:
        """A chain for each input, told to the callback step by step; ``None`` if that ends the training."""

    @abstractmethod
    def train(self, batch: Batch, rollout: Rollout, generator: torch.Generator) -> None:
        """One gradient step on a rollout."""

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Train on another environment of the same spaces from now on."""
        super().set_env(env, force_reset)
        self._read_env()

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seed all generators, that of the batches too."""
        super().set_random_seed(seed)
        self._generator = np.random.default_rng(seed)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int | None = 10,
        tb_log_name: str = "ChainPG",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Train for at least so many time steps, in whole batches.

        Args:
            total_timesteps: Environment steps.
            callback: Called as by SB3's on-policy algorithms, a batch of chains being a rollout.
            log_interval: Batches between two entries of the log; what is left at the end is written too.
            tb_log_name: Name of the run in TensorBoard.
            reset_num_timesteps: ``False`` goes on counting from an earlier call.
            progress_bar: Whether to show one (needs tqdm and rich).

        Raises:
            ValueError: If there is no environment.
            FloatingPointError: If the loss or its gradient is not finite.
        """
        if self.env is None:
            raise ValueError("no environment to learn from: call set_env(env), or load(path, env=env)")
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        callback.on_training_start(locals(), globals())
        iteration = 0
        while self.num_timesteps < total_timesteps:
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            batch = Batch.of(self._data.dataset, next(self._batches), self.device)
            generator = torch.Generator(self.device).manual_seed(int(self._generator.integers(2**62)))
            rollout = self.collect_rollout(batch, generator, callback)
            if rollout is None:
                break
            self.train(batch, rollout, generator)
            iteration += 1
            if log_interval is not None and iteration % log_interval == 0:
                self.dump_logs(iteration)
        if log_interval is not None and iteration % log_interval != 0:
            self.dump_logs(iteration)
        callback.on_training_end()
        return self

    def predict(  # type: ignore[override]
        self,
        observation: Observation,
        state: Arrays | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], Arrays]:
        """The next action, and the state to pass next time, see :meth:`ChainPolicy.predict`."""
        return self.policy.predict(observation, state, episode_start, deterministic, action_masks)

    def dump_logs(self, iteration: int = 0) -> None:
        """Write the log.

        Args:
            iteration: Batches since the call of :meth:`learn`.
        """
        assert self.ep_info_buffer is not None and self.ep_success_buffer is not None
        elapsed = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        if self.ep_info_buffer:
            self.logger.record("rollout/ep_rew_mean", safe_mean([info["r"] for info in self.ep_info_buffer]))
            self.logger.record("rollout/ep_len_mean", safe_mean([info["l"] for info in self.ep_info_buffer]))
            self.logger.record("rollout/success_rate", safe_mean(self.ep_success_buffer))
        self.logger.record("time/iterations", iteration, exclude="tensorboard")
        self.logger.record("time/fps", int((self.num_timesteps - self._num_timesteps_at_start) / elapsed))
        self.logger.record("time/time_elapsed", int(elapsed), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(self.num_timesteps)

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        policy_kwargs = {"scaling": self._scaling} | self.policy_kwargs
        if self.env is not None:
            self._read_env()
        policy = self.policy_class(
            self.observation_space, self.action_space, self.lr_schedule, **policy_kwargs
        )
        assert isinstance(policy, ChainPolicy)
        if self.env is not None:
            policy.network.scaler.fit(self._data.dataset)
        self.policy = policy.to(self.device)

    def _read_env(self) -> None:
        """Take the data, the chain limit and the reward from the environment."""
        assert self.env is not None
        self._data = EnvData.of(self.env)
        warn_of_wrappers(self.env)
        self._batches = self._epochs()

    def _epochs(self) -> Iterator[NDArray[np.int64]]:
        while True:
            yield from shuffled_batches(
                self._data.rows, self.batch_size, int(self._generator.integers(2**62))
            )

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_data", "_batches", "_generator"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", "policy.optimizer"], []
