"""The environment: one input is one episode, each action emits one label or stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.episodes import EpisodeBatch, Observation
from labelchain.envs.rendering import Scene, render_ansi, render_rgb

_FIRST = np.zeros(1, dtype=np.int64)


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
    Terminated: STOP, or every label emitted. Truncated: `max_labels` actions taken.

    The last `info` has `chain` (labels emitted, in order), `true_labels`, `is_success` (exact match) and
    `metrics`, every metric of the episode in [0, 1], with `length`, `repeats` and `first_error` in labels.

    ## Arguments
    - `dataset`: the name of a data set, a path, or a `MultilabelDataset`. Loaded once per process.
    - `split`: `"train"`, `"validation"` or `"test"`.
    - `reward`: the name of a reward.
    - `max_labels`: chain limit; by default `int(1.5 * largest training label set) + 1`.
    - `repeat_penalty`: what emitting a label again costs, at least 0.
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

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}  # noqa: RUF012

    def __init__(
        self,
        dataset: str | Path | MultilabelDataset = "digit-scenes",
        split: str = "train",
        reward: str = "accuracy",
        max_labels: int | None = None,
        repeat_penalty: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(
                f"render_mode must be None or one of {self.metadata['render_modes']}, got {render_mode!r}"
            )
        self._episode = EpisodeBatch(1, dataset, split, reward, max_labels, repeat_penalty)
        self.dataset = self._episode.dataset
        self.max_labels = self._episode.chains.max_steps
        self.render_mode = render_mode
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
        step = self._episode.step(np.array([int(action)]))
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        info = self._info()
        if terminated or truncated:
            self._running = False
            info |= self._outcome()
        return self._observation(), float(step.rewards[0]), terminated, truncated, info

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
        if self.render_mode is None:
            gym.logger.warn("render() does nothing: pass render_mode='ansi' or 'rgb_array' to gym.make()")
            return None
        scene = Scene.of(self._episode, 0)
        return render_ansi(scene) if self.render_mode == "ansi" else render_rgb(scene)

    def _index_from(self, options: dict[str, Any] | None) -> int:
        unknown = set(options or ()) - {"index"}
        if unknown:
            raise ValueError(f"reset options may hold 'index' only, got {sorted(unknown)}")
        if not options:
            return int(self.np_random.integers(len(self._episode.rows)))
        index = options["index"]
        if (
            isinstance(index, bool)
            or not isinstance(index, (int, np.integer))
            or not 0 <= index < len(self._episode.rows)
        ):
            raise ValueError(
                f"options['index'] must be an integer in 0..{len(self._episode.rows) - 1}, got {index!r}"
            )
        return int(index)

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
