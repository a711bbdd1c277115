"""The environment as Stable-Baselines3's ``VecEnv``, stepped as one numpy batch: fast, for SB3's agents."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from labelchain.envs import LabelChainEnv, MultilabelDataset
from labelchain.envs.episodes import EpisodeBatch, InputStreams, Observation

FIXED = ("dataset", "split", "rows", "reward", "max_labels")
"""What the episodes of an environment are made of, once and for all."""


class ChainVecEnv(VecEnv):
    """Many :class:`labelchain.envs.LabelChainEnv` as one SB3 ``VecEnv``.

    With the same seed and actions it gives what ``DummyVecEnv`` of single environments gives (see
    :func:`labelchain.agents.conformance.check_vec_env_conformance`), at many times the speed. An environment
    that ends begins its next episode in the same step, as SB3 has it. Rewards are float32.

    ``infos`` are empty but for the episodes that end, which have ``terminal_observation``,
    ``TimeLimit.truncated`` (always false: the chain limit is part of the task), ``episode`` (``r`` return,
    ``l`` length, ``t`` seconds since the start), and what the single environment says of a finished episode:
    ``chain``, ``true_labels``, ``is_success``, ``metrics``, ``index``. So there is no need of ``Monitor`` or
    ``VecMonitor``. Masks come from :meth:`action_masks`, which sb3-contrib finds, not from the infos.

    >>> from sb3_contrib.common.maskable.utils import get_action_masks
    >>> env = ChainVecEnv("digit-scenes", num_envs=8, reward="f1", seed=7)
    >>> env.reset()["features"].shape, get_action_masks(env).shape
    ((8, 256), (8, 11))
    >>> observations, rewards, dones, infos = env.step(np.full(8, 10))  # STOP, everywhere
    >>> dones.all(), infos[0]["episode"]["l"], infos[0]["metrics"]["P@1"]
    (np.True_, 1, 0.0)

    Args:
        dataset: A name, a path, or a data set.
        num_envs: How many environments.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        reward: The name of a reward.
        max_labels: Chain limit; by default ``int(1.5 * largest training label set) + 1``.
        repeat_penalty: What emitting a label again costs.
        observation: ``"features"``, or ``"index"``: the row number instead of the features, for policies that
            hold the feature matrix (:mod:`labelchain.agents.extractors`).
        seed: Environment ``i`` is seeded with ``seed + i`` at the first reset.

    Attributes:
        dataset: The data.
        split: The split that inputs are drawn from.
        rows: ``(num_rows,)`` row numbers of that split.
        reward: The name of the reward.
        max_labels: Chain limit.

    Raises:
        ValueError: If an argument is out of range or a name is unknown.
        AttributeError: If one of the attributes above is set later.
    """

    def __init__(
        self,
        dataset: str | Path | MultilabelDataset = "digit-scenes",
        num_envs: int = 1,
        split: str = "train",
        reward: str = "accuracy",
        max_labels: int | None = None,
        repeat_penalty: float = 0.0,
        observation: str = "features",
        seed: int | None = None,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self.render_mode = None
        self._episodes = EpisodeBatch(
            num_envs, dataset, split, reward, max_labels, repeat_penalty, observation
        )
        self.dataset = self._episodes.dataset
        self.split, self.reward = split, reward
        self.rows = self._episodes.rows
        self.max_labels = self._episodes.chains.max_steps
        action_space = gym.spaces.Discrete(self.dataset.num_labels + 1)
        super().__init__(num_envs, self._episodes.observation_space(), action_space)
        self._inputs = InputStreams(num_envs, len(self.rows))
        self._actions: NDArray[np.int64] | None = None
        self._running = False
        self._started = time.time()
        if seed is not None:
            self.seed(seed)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and name in vars(self):
            raise AttributeError(f"{name!r} of a ChainVecEnv is fixed: make another one to change it")
        super().__setattr__(name, value)

    def reset(self) -> Observation:
        """Start an episode in every environment, with the seeds and options set before.

        The only option is ``index``, the row of the split to start on: ``set_options({"index": 3})``, or a
        list of such dictionaries, one for each environment.
        """
        every = np.arange(self.num_envs)
        self._inputs.seed(self._seeds, every)
        pinned = self._pinned_rows()
        index = np.where(pinned < 0, 0, pinned)
        free = every[pinned < 0]
        if free.size:
            index[free] = self._inputs.draw(free)
        self._episodes.begin(every, index)
        self._reset_seeds()
        self._reset_options()
        self._running = True
        return self._episodes.observation()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Take note of one action ``(num_envs,)`` for each environment, in ``0..L``.

        Raises:
            gymnasium.error.ResetNeeded: If the environments were never reset.
            ValueError: If an action is not in the action space.
        """
        if not self._running:
            raise gym.error.ResetNeeded("call reset() before step(): no episode is under way")
        self._actions = self._episodes.checked_actions(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Step every environment; those that end begin anew."""
        if self._actions is None:
            raise RuntimeError("call step_async() before step_wait()")
        (rewards, dones), self._actions = self._episodes.step(self._actions), None
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        which = np.flatnonzero(dones)
        if which.size:
            self._fill_infos(infos, which)
            self._episodes.begin(which, self._inputs.draw(which))
        return self._episodes.observation(), rewards.astype(np.float32), dones, infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions do something now, ``(num_envs, L + 1)``."""
        return self._episodes.chains.action_masks()

    def action_rewards(self) -> NDArray[np.float64]:
        """The reward that each action would earn now, ``(num_envs, L + 1)``."""
        return self._episodes.chains.action_rewards()

    def close(self) -> None:
        """Nothing is open."""

    def has_attr(self, attr_name: str) -> bool:
        """Whether there is such an attribute or method."""
        return hasattr(self, attr_name)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute, once for each environment; all share it."""
        return [getattr(self, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute, of all environments at once.

        Raises:
            ValueError: If only some environments are named.
            AttributeError: If it is fixed, as ``reward`` is.
        """
        if set(self._indices(indices).tolist()) != set(range(self.num_envs)):
            raise ValueError(f"the environments share {attr_name!r}: set it without indices")
        setattr(self, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """What ``action_masks`` or ``action_rewards`` give, one row ``(L + 1,)`` for each environment.

        Raises:
            AttributeError: If it is another method.
        """
        if method_name not in ("action_masks", "action_rewards"):
            raise AttributeError(
                f"ChainVecEnv's environments have the methods action_masks and action_rewards, got "
                f"{method_name!r}"
            )
        rows: NDArray[Any] = getattr(self, method_name)(*method_args, **method_kwargs)
        return list(rows if indices is None else rows[self._indices(indices)])

    def env_is_wrapped(self, wrapper_class: type[Any], indices: VecEnvIndices = None) -> list[bool]:
        """True for ``Monitor``, since ``infos`` have all that it adds, so that SB3 does not ask for one."""
        return [wrapper_class is Monitor] * len(self._indices(indices))

    def _indices(self, indices: VecEnvIndices) -> NDArray[np.int64]:
        named: Iterable[int] = self._get_indices(indices)
        return np.arange(self.num_envs)[list(named)]

    def _pinned_rows(self) -> NDArray[np.int64]:
        """The rows of the split that options name, ``(num_envs,)``, -1 where they name none."""
        unknown = {name for options in self._options for name in options} - {"index"}
        if unknown:
            raise ValueError(f"reset options may hold 'index' only, got {sorted(unknown)}")
        return np.array(
            [
                self._episodes.checked_index(options["index"], ()) if options else -1
                for options in self._options
            ]
        )

    def _fill_infos(self, infos: list[dict[str, Any]], which: NDArray[np.int64]) -> None:
        """Say what is known at the end of episodes ``which`` ``(n,)``."""
        outcome = self._episodes.outcome(which)
        metrics = np.stack(list(outcome["metrics"].values()), axis=1).tolist()
        seconds = round(time.time() - self._started, 6)
        ended = zip(
            which.tolist(),
            self._episodes.observations_of(which),
            self._episodes.returns[which].tolist(),
            self._episodes.chains.steps[which].tolist(),
            self._episodes.index[which].tolist(),
            outcome["chain"],
            outcome["true_labels"],
            outcome["is_success"].tolist(),
            metrics,
            strict=True,
        )
        for env, last, total, length, index, chain, true_labels, success, values in ended:
            infos[env] = {
                "terminal_observation": last,
                "TimeLimit.truncated": False,
                "episode": {"r": total, "l": length, "t": seconds},
                "chain": chain,
                "true_labels": true_labels,
                "is_success": success,
                "metrics": dict(zip(outcome["metrics"], values, strict=True)),
                "index": index,
            }


def make_vec_env(
    env_id: str, n_envs: int = 1, seed: int | None = None, *, env_kwargs: dict[str, Any] | None = None
) -> ChainVecEnv:
    """A :class:`ChainVecEnv` by environment id, as SB3's function of the same name makes a ``DummyVecEnv``.

    It has the first arguments of SB3's, and ``env_kwargs``.

    >>> make_vec_env("labelchain/DigitScenes-v0", n_envs=4, seed=0, env_kwargs={"reward": "f1"}).num_envs
    4

    Args:
        env_id: An id that ``labelchain.envs`` registers, such as ``labelchain/Bibtex-v0``.
        n_envs: How many environments.
        seed: Environment ``i`` is seeded with ``seed + i``.
        env_kwargs: Further arguments of the environment, those that :class:`ChainVecEnv` has too.

    Raises:
        TypeError: If ``env_kwargs`` holds something else, such as ``render_mode``.
        ValueError: If the id is registered by another package.
        gymnasium.error.UnregisteredEnv: If the id is not registered.
    """
    spec = gym.spec(env_id)
    if spec.entry_point != f"{LabelChainEnv.__module__}:{LabelChainEnv.__qualname__}":
        raise ValueError(
            f"{env_id!r} is not an environment of labelchain: make it with stable_baselines3's make_vec_env"
        )
    return ChainVecEnv(num_envs=n_envs, seed=seed, **{**spec.kwargs, **(env_kwargs or {})})
