"""The environment: one input is one episode, each action emits one label or stops."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.episodes import EpisodeBatch, InputStreams, Observation, outcome_of
from labelchain.envs.late_infos import LateInfos
from labelchain.envs.rendering import Scene, render_ansi, render_rgb

RENDER_MODES = ("ansi", "rgb_array")
_FIRST = np.zeros(1, dtype=np.int64)
_OUTCOME_KEYS = ("metrics", "chain", "true_labels", "is_success")
_OUTCOMES = [*_OUTCOME_KEYS, *(f"_{key}" for key in _OUTCOME_KEYS)]


class LabelChainEnv(gym.Env[Observation, np.int64]):
    """Emit the labels of an input one after the other, then stop.

    ## Description
    One input of a multi-label data set is one episode. The agent sees the input and the labels it has emitted
    so far; each action emits one more label, or stops. Labels can be emitted in any order. A good agent
    decides the easy ones first, and uses them for those that are error-prone for this input. (Nam et al.,
    "Learning Context-dependent Label Permutations for Multi-label Classification", ICML 2019.)

    ## Action Space
    `Discrete(L + 1)`: action `a < L` emits label `a`; action `L` is STOP. Emitting a label again is allowed:
    it changes nothing, costs `repeat_penalty` and uses up a step. `info["action_mask"]` (int8) and
    `action_masks()` (bool, the name that sb3-contrib looks for) mark the actions that do something: labels
    not emitted yet, and always STOP.

    ## Observation Space
    `Dict`:
    - `features`: `Box`, `(num_features,)` float32, the input (dense, also for sparse data sets);
    - `emitted`: `MultiBinary(L)`, the labels emitted so far.

    ## Rewards
    The increment of a score of the chain so far, so that the undiscounted return is the score of the final
    chain: `accuracy` (Jaccard; the default), `f1`, `ndcg@k`, `precision@k`, `subset`, `hamming`; see
    :func:`labelchain.envs.rewards.make_reward`.

    ## Starting State
    An input drawn uniformly from the split, nothing emitted. `reset(options={"index": i})` starts on row `i`
    of the split.

    ## Episode End
    Terminated: STOP, every label emitted, or `max_labels` actions taken. Never truncated: the limit is part
    of the task, and what is paid at the end is paid there too, so that nothing is left to bootstrap.

    The last `info` has `chain` (labels emitted, in order), `true_labels`, `is_success` (exact match) and
    `metrics`, every metric of the episode in [0, 1], with `length`, `repeats` and `first_error` in labels.

    ## Arguments
    - `dataset`: the name of a data set, a path, or a `MultilabelDataset`. Loaded once per process.
    - `split`: `"train"`, `"validation"` or `"test"`.
    - `reward`: the name of a reward.
    - `max_labels`: chain limit; by default `int(1.5 * largest training label set) + 1`.
    - `repeat_penalty`: what emitting a label again costs, at least 0.
    - `observation`: `"features"`, or `"index"`: instead of `features`, `row` (`Box`, `(1,)` int64), the
      input's row number in the data set, for policies that hold the feature matrix.
    - `render_mode`: `"ansi"` or `"rgb_array"` (needs matplotlib).

    ## Example
    >>> import gymnasium as gym
    >>> import labelchain.envs
    >>> env = gym.make("labelchain/DigitScenes-v0", reward="f1")
    >>> observation, info = env.reset(seed=7)
    >>> observation["features"].shape, observation["emitted"].shape, env.action_space
    ((256,), (10,), Discrete(11))
    >>> stop = env.action_space.n - 1
    >>> _, reward, terminated, truncated, info = env.step(stop)
    >>> float(reward), terminated, truncated, info["is_success"]
    (0.0, True, False, False)

    ## Version History
    - v0: initial version.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 2}  # noqa: RUF012

    def __init__(
        self,
        dataset: str | Path | MultilabelDataset = "digit-scenes",
        split: str = "train",
        reward: str = "accuracy",
        max_labels: int | None = None,
        repeat_penalty: float = 0.0,
        observation: str = "features",
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = _checked_render_mode(render_mode)
        self._episode = EpisodeBatch(1, dataset, split, reward, max_labels, repeat_penalty, observation)
        self.dataset = self._episode.dataset
        self.split, self.reward = split, reward
        self.max_labels = self._episode.chains.max_steps
        self.observation_space = self._episode.observation_space()  # type: ignore[assignment]
        self.action_space = gym.spaces.Discrete(self.dataset.num_labels + 1)
        self._running = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode on an input drawn from the split, or on row ``options["index"]`` of it.

        Raises:
            ValueError: If ``options`` has another key, or its index is not a row of the split.
        """
        super().reset(seed=seed)
        self._episode.begin(_FIRST, np.array([self._index_from(options)]))
        self._running = True
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Emit a label, or stop.

        Raises:
            gymnasium.error.ResetNeeded: If there is no episode under way.
            ValueError: If the action is not in the action space.
        """
        if not self._running:
            raise gym.error.ResetNeeded("call reset() before step(): no episode is under way")
        if not self.action_space.contains(action):
            raise ValueError(f"action must be an integer in 0..{self.dataset.num_labels}, got {action!r}")
        rewards, ended = self._episode.step(np.array([int(action)]))
        info = self._info()
        if ended[0]:
            self._running = False
            info |= self._outcome()
        return self._observation(), float(rewards[0]), bool(ended[0]), False, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions do something now, ``(L + 1,)``."""
        masks: NDArray[np.bool_] = self._episode.chains.action_masks()[0]
        return masks

    def action_rewards(self) -> NDArray[np.float64]:
        """The reward that each action would earn now, ``(L + 1,)``: full-information feedback."""
        rewards: NDArray[np.float64] = self._episode.chains.action_rewards()[0]
        return rewards

    def render(self) -> Any:
        """The episode so far: a string (``ansi``) or a ``(height, width, 3)`` uint8 image (``rgb_array``)."""
        return _render(self._episode, 0, self.render_mode)

    def _index_from(self, options: dict[str, Any] | None) -> int:
        unknown = set(options or ()) - {"index"}
        if unknown:
            raise ValueError(f"reset options may hold 'index' only, got {sorted(unknown)}")
        if not options:
            return int(self.np_random.integers(len(self._episode.rows)))
        return int(self._episode.checked_index(options["index"], ()))

    def _observation(self) -> Observation:
        return {name: values[0] for name, values in self._episode.observation().items()}

    def _info(self) -> dict[str, Any]:
        return {"action_mask": self.action_masks().astype(np.int8), "index": int(self._episode.index[0])}

    def _outcome(self) -> dict[str, Any]:
        """The last info's additions, as plain values."""
        outcome = self._episode.outcome(_FIRST)
        metrics = {name: float(values[0]) for name, values in outcome["metrics"].items()}
        return {
            "chain": outcome["chain"][0],
            "true_labels": outcome["true_labels"][0],
            "is_success": bool(outcome["is_success"][0]),
            "metrics": metrics,
        }


class LabelChainVectorEnv(gym.vector.VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Many :class:`LabelChainEnv` stepped together in numpy.

    Environment ``i`` is seeded with ``seed + i`` and behaves exactly as a single one with that seed.

    ## Arguments
    Those of :class:`LabelChainEnv`, and:
    - `num_envs`: how many environments.
    - `autoreset_mode`: `"NextStep"` (Gymnasium's default), `"SameStep"` (Stable-Baselines3's way) or
      `"Disabled"` (reset ended ones with `reset(options={"reset_mask": mask})`).
    - `copy`: whether observations are copies. If not, they cannot be written to, and later steps change them:
      faster if what is kept is copied anyway (by `torch.tensor`, say; `torch.from_numpy` would warn).

    ## Infos
    `action_mask` and `index` of every environment. Where an episode ends also what the last `info` of the
    single environment has, and `episode` with its return `r` and length `l` (give
    `gymnasium.wrappers.vector.RecordEpisodeStatistics` another `stats_key`). With `"SameStep"`, the former
    are in `final_info`, and `final_obs` holds the last observations.

    ## Example
    >>> import gymnasium as gym
    >>> import labelchain.envs
    >>> envs = gym.make_vec("labelchain/DigitScenes-v0", num_envs=4, vectorization_mode="vector_entry_point")
    >>> observations, infos = envs.reset(seed=7)
    >>> observations["features"].shape, infos["action_mask"].shape
    ((4, 256), (4, 11))
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        **LabelChainEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        dataset: str | Path | MultilabelDataset = "digit-scenes",
        split: str = "train",
        reward: str = "accuracy",
        max_labels: int | None = None,
        repeat_penalty: float = 0.0,
        observation: str = "features",
        render_mode: str | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        copy: bool = True,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        self.num_envs = num_envs
        self.render_mode = _checked_render_mode(render_mode)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._copy = copy
        self._episodes = EpisodeBatch(
            num_envs, dataset, split, reward, max_labels, repeat_penalty, observation
        )
        self.dataset = self._episodes.dataset
        self.split, self.reward = split, reward
        self.max_labels = self._episodes.chains.max_steps
        self.single_observation_space = self._episodes.observation_space()
        self.single_action_space = gym.spaces.Discrete(self.dataset.num_labels + 1)
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = gym.vector.utils.batch_space(self.single_action_space, num_envs)
        self._inputs = InputStreams(num_envs, len(self._episodes.rows))
        self._ended: NDArray[np.bool_] | None = None  # None: never reset

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: Environment ``i`` is seeded with ``seed + i`` or ``seed[i]``.
            options: ``reset_mask``, ``(num_envs,)`` bool, and ``index``, ``(num_envs,)`` integers, the rows
                of the split to start on.

        Raises:
            ValueError: If an option is unknown, or has another shape, type or range.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        mask, index = self._options(options)
        which = np.flatnonzero(mask)
        self._inputs.seed(seed, which)
        self._begin(which, self._inputs.draw(which) if index is None else index[which])
        self._ended = np.where(mask, False, False if self._ended is None else self._ended)
        return self._episodes.observation(self._copy), self._infos(mask)

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Take one action in every environment.

        Args:
            actions: ``(num_envs,)`` integers in ``0..L``; with ``"NextStep"``, those of environments that
                ended in the last step are ignored.

        Raises:
            gymnasium.error.ResetNeeded: If an environment has no episode under way.
            ValueError: If an action is not in the action space.
        """
        if self._ended is None or (self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any()):
            raise gym.error.ResetNeeded("call reset() before step(): an environment has no episode under way")
        again = self._ended.nonzero()[0]
        rewards, ended = self._episodes.step(self._episodes.checked_actions(actions, ignored=again))
        if again.size:  # NEXT_STEP: this step is their reset
            self._begin(again, self._inputs.draw(again))
            rewards[again], ended[again] = 0.0, False
        which = ended.nonzero()[0]
        infos: dict[str, Any] = {}
        if which.size:
            infos["episode"] = self._statistics(which)
            infos["_episode"] = ended.copy()
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            if which.size:
                last = self._episodes.observations_of(which)
                infos |= {"final_obs": self._spread(which, last), "_final_obs": ended.copy()}
                infos["final_info"] = self._with_outcomes(self._infos(ended.copy()), which, ended)
                infos["_final_info"] = ended.copy()
                self._begin(which, self._inputs.draw(which))
            infos |= self._infos()
        else:
            self._ended = ended.copy()
            infos |= self._infos()
            if which.size:
                infos = self._with_outcomes(infos, which, ended)
        return self._episodes.observation(self._copy), rewards, ended, np.zeros_like(ended), infos

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions do something now, ``(num_envs, L + 1)``."""
        return self._episodes.chains.action_masks()

    def action_rewards(self) -> NDArray[np.float64]:
        """The reward that each action would earn now, ``(num_envs, L + 1)``."""
        return self._episodes.chains.action_rewards()

    def render(self) -> Any:
        """A picture of every episode, a tuple of what the single environment renders."""
        return tuple(_render(self._episodes, env, self.render_mode) for env in range(self.num_envs))

    def _begin(self, which: NDArray[np.int64], index: NDArray[np.int64]) -> None:
        if which.size:
            self._episodes.begin(which, index)

    def _options(self, options: dict[str, Any] | None) -> tuple[NDArray[np.bool_], NDArray[np.int64] | None]:
        """The environments to reset, and the rows to start on if they are named."""
        options = options or {}
        unknown = set(options) - {"reset_mask", "index"}
        if unknown:
            raise ValueError(f"reset options may hold 'reset_mask' and 'index' only, got {sorted(unknown)}")
        mask = options.get("reset_mask", np.ones(self.num_envs, dtype=bool))
        if not isinstance(mask, np.ndarray) or mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(f"options['reset_mask'] must be a bool array of shape ({self.num_envs},)")
        if not mask.any() or (self._ended is None and not mask.all()):
            raise ValueError("options['reset_mask'] must name an environment, and all of them at first")
        index = options.get("index")
        return mask, None if index is None else self._episodes.checked_index(index, (self.num_envs,))

    def _infos(self, mask: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Masks and rows; zero where ``mask`` ``(num_envs,)`` is false, as Gymnasium has it."""
        masks, index = self.action_masks(), self._episodes.index.copy()
        if mask is None:
            mask = np.ones(self.num_envs, dtype=bool)
        else:
            masks[~mask], index[~mask] = False, 0
        infos: dict[str, Any] = {"action_mask": masks.view(np.int8), "_action_mask": mask}
        return infos | {"index": index, "_index": mask.copy()}

    def _with_outcomes(
        self, infos: dict[str, Any], which: NDArray[np.int64], ended: NDArray[np.bool_]
    ) -> LateInfos:
        """Infos, and what is known of the episodes that ended, which is worked out when it is read."""
        actions = self._episodes.chains.actions[which]
        rows = self._episodes.rows[self._episodes.index[which]]
        return LateInfos(infos, _OUTCOMES, partial(self._outcomes, which, ended.copy(), rows, actions))

    def _outcomes(
        self, which: NDArray[np.int64], ended: NDArray[np.bool_], rows: NDArray[np.int64], actions: Any
    ) -> dict[str, Any]:
        """The outcomes of episodes ``which`` in arrays over all environments, with their masks."""
        outcome = outcome_of(self.dataset, rows, actions)
        metrics: dict[str, Any] = {}
        for name, values in outcome["metrics"].items():
            metrics[name] = self._spread(which, values)
            metrics[f"_{name}"] = ended.copy()
        infos: dict[str, Any] = {"metrics": metrics, "_metrics": ended.copy()}
        for name in ("chain", "true_labels", "is_success"):
            infos[name] = self._spread(which, outcome[name])
            infos[f"_{name}"] = ended.copy()
        return infos

    def _spread(self, which: NDArray[np.int64], values: Any) -> NDArray[Any]:
        """Values ``(n,)`` of environments ``which`` in an array over all; lists become objects."""
        if isinstance(values, np.ndarray):
            spread = np.zeros(self.num_envs, dtype=values.dtype)
            spread[which] = values
        else:
            spread = np.full(self.num_envs, None, dtype=object)
            for env, value in zip(which.tolist(), values, strict=True):
                spread[env] = value
        return spread

    def _statistics(self, which: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        values = {"r": self._episodes.returns, "l": self._episodes.chains.steps}
        return {name: self._spread(which, array[which]) for name, array in values.items()}


def _checked_render_mode(render_mode: str | None) -> str | None:
    if render_mode is not None and render_mode not in RENDER_MODES:
        raise ValueError(f"render_mode must be None or one of {list(RENDER_MODES)}, got {render_mode!r}")
    return render_mode


def _render(episodes: EpisodeBatch, env: int, render_mode: str | None) -> Any:
    if render_mode is None:
        gym.logger.warn("render() does nothing: pass render_mode='ansi' or 'rgb_array' to gym.make()")
        return None
    if episodes.index[env] < 0:
        raise gym.error.ResetNeeded("call reset() before render(): no episode is under way")
    scene = Scene.of(episodes, env)
    return render_ansi(scene) if render_mode == "ansi" else render_rgb(scene)
