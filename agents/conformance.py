"""A check that a fast ``VecEnv`` does what a slow one does: the same seeds and actions, the same episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

NOT_COMPARED = frozenset({"action_mask", "TimeLimit.truncated"})
"""Infos that a fast ``VecEnv`` need not fill while an episode goes on."""


def check_vec_env_conformance(
    vec_env: VecEnv, reference: VecEnv, num_steps: int = 100, seed: int = 0
) -> None:
    """Step two ``VecEnv`` side by side with the same random actions, and compare all that they return.

    Compared are spaces, observations, rewards, dones, masks where both have them, and for episodes that end
    ``terminal_observation``, ``TimeLimit.truncated`` and every info that both give. The clock (``t`` in
    ``episode``) is not compared, and returns up to the six decimals that ``Monitor`` keeps.

    >>> from stable_baselines3.common.env_util import make_vec_env
    >>> from labelchain.agents.chain_vec_env import ChainVecEnv
    >>> singles = make_vec_env("labelchain/DigitScenes-v0", n_envs=3)
    >>> check_vec_env_conformance(ChainVecEnv("digit-scenes", num_envs=3), singles)

    Args:
        vec_env: What is checked.
        reference: What it must equal, usually a ``DummyVecEnv`` of single environments.
        num_steps: How many steps.
        seed: Seeds both, and the actions.

    Raises:
        AssertionError: If they differ; the message names the step and the item.
    """
    _require(vec_env.num_envs == reference.num_envs, "num_envs", vec_env.num_envs, reference.num_envs)
    for name in ("observation_space", "action_space"):
        ours, theirs = getattr(vec_env, name), getattr(reference, name)
        _require(ours == theirs, name, ours, theirs)
    if not isinstance(vec_env.action_space, spaces.Discrete):
        raise AssertionError(f"action_space must be Discrete, got {vec_env.action_space}")
    rng = np.random.default_rng(seed)
    num_actions = int(vec_env.action_space.n)
    masked = vec_env.has_attr("action_masks") and reference.has_attr("action_masks")
    for each in (vec_env, reference):
        each.seed(seed)
    _compare("reset: observation", vec_env.reset(), reference.reset())
    for step in range(num_steps):
        if masked:
            masks = [np.stack(each.env_method("action_masks")) for each in (vec_env, reference)]
            _compare(f"step {step}: action_masks", *masks)
        actions = rng.integers(num_actions, size=vec_env.num_envs)
        ours, theirs = vec_env.step(actions), reference.step(actions)
        for name, mine, other in zip(("observation", "reward", "done"), ours, theirs, strict=False):
            _compare(f"step {step}: {name}", mine, other)
        for env in range(vec_env.num_envs):
            _compare_infos(
                f"step {step}, environment {env}", ours[3][env], theirs[3][env], bool(ours[2][env])
            )


def _compare_infos(where: str, ours: dict[str, Any], theirs: dict[str, Any], ended: bool) -> None:
    if not ended:
        for name in (ours.keys() & theirs.keys()) - NOT_COMPARED:
            _compare(f"{where}: infos[{name!r}]", ours[name], theirs[name])
        return
    for name in ("terminal_observation", "TimeLimit.truncated"):
        _require(name in ours, f"{where}: infos has no {name!r}", sorted(ours), sorted(theirs))
    for name in (ours.keys() & theirs.keys()) - {"episode"}:
        _compare(f"{where}: infos[{name!r}]", ours[name], theirs[name])
    if "episode" in ours and "episode" in theirs:
        mine, other = ours["episode"], theirs["episode"]
        _compare(f"{where}: length of the episode", mine["l"], other["l"])
        close = bool(np.isclose(mine["r"], other["r"], rtol=1e-5, atol=1e-6))
        _require(close, f"{where}: return of the episode", mine["r"], other["r"])


def _compare(where: str, ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        _require(isinstance(ours, dict) and ours.keys() == theirs.keys(), where, ours, theirs)
        for name in theirs:
            _compare(f"{where}[{name!r}]", ours[name], theirs[name])
        return
    mine, other = np.asarray(ours), np.asarray(theirs)
    same = mine.shape == other.shape and mine.dtype == other.dtype and np.array_equal(mine, other)
    _require(same, where, ours, theirs)


def _require(holds: bool, where: str, ours: Any, theirs: Any) -> None:
    if not holds:
        raise AssertionError(f"{where}: expected {theirs!r}, got {ours!r}")
