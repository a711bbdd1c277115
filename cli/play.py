"""``labelchain play``: one episode in the terminal, step by step, or as a GIF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console

from labelchain.agents.runs import Run
from labelchain.cli.errors import UsageError
from labelchain.cli.trained import model_for
from labelchain.envs import ENV_IDS, LabelChainEnv
from labelchain.envs.files import check_output, written_beside

FRAME_MILLISECONDS = 900


def make_env(env_id: str, gif: Path | None = None, **kwargs: Any) -> LabelChainEnv:
    """An environment of this suite by id, which renders text, or frames if there is to be a GIF.

    Args:
        env_id: Such as ``labelchain/DigitScenes-v0``.
        gif: Where the GIF goes; looked at before any data are loaded.
        kwargs: As ``gym.make`` takes them.

    Raises:
        OSError: If ``gif`` is no path of a file.
        UsageError: If it is none of ours, or other data are named for one that has its own.
    """
    if env_id not in ENV_IDS:
        raise UsageError(f"unknown environment {env_id!r}; known are {', '.join(ENV_IDS)}")
    if "dataset" in kwargs and ENV_IDS[env_id] is not None:
        raise UsageError(f"{env_id} has its data: --dataset is for labelchain/Chain-v0")
    if gif is not None:
        check_output(gif)
    env = gym.make(env_id, render_mode="ansi" if gif is None else "rgb_array", **kwargs).unwrapped
    assert isinstance(env, LabelChainEnv)
    return env


def chain_of(policy: str, env: LabelChainEnv, features: np.ndarray, seed: int) -> list[int]:
    """The actions of an episode: of the run in a folder, or random ones.

    Args:
        policy: ``"random"``, or the folder of a finished run.
        env: The environment; it has been reset.
        features: ``(num_features,)`` the input.
        seed: Seeds random actions.

    Raises:
        RunError: If the run is not finished or damaged.
        DatasetError: If the data do not have the columns of its training.
    """
    stop = env.dataset.num_labels
    if policy == "random":
        actions: list[int] = np.random.default_rng(seed).permutation(stop + 1).tolist()
        return actions
    run = Run.open(Path(policy))
    chain = model_for(run, env.dataset).predict(features[None]).chains[0]
    return [*chain[chain >= 0].tolist(), stop]


def play_episode(
    console: Console, env: LabelChainEnv, policy: str, index: int | None, seed: int, gif: Path | None
) -> None:
    """Play one episode: print every step, or save every step as a frame of a GIF.

    Args:
        console: Where it is printed.
        env: From :func:`make_env`, with the same ``gif``.
        policy: See :func:`chain_of`.
        index: The row of the split, or ``None`` for one drawn with ``seed``.
        seed: Seeds the draw of the input and random actions.
        gif: Where the GIF goes.

    Raises:
        UsageError: If the index is no row of the split.
        OSError: If the GIF cannot be written.
    """
    try:
        _, info = env.reset(seed=seed, options=None if index is None else {"index": index})
    except ValueError as error:
        raise UsageError(str(error)) from error
    row = env.dataset.rows(env.split)[info["index"]]
    frames = [env.render()]
    for action in chain_of(policy, env, env.dataset.dense_features(np.array([row]))[0], seed):
        _, _, terminated, truncated, info = env.step(action)
        frames.append(env.render())
        if terminated or truncated:
            break
    if gif is None:
        for number, frame in enumerate(frames):
            console.rule(f"input {info['index']} of {env.split}, step {number}")
            console.print(frame, highlight=False)
        metrics = ", ".join(f"{name} {value:.2f}" for name, value in info["metrics"].items())
        console.print(metrics, highlight=False)
    else:
        _write_gif(frames, gif)
        console.print(f"written: {gif} ({len(frames)} frames)", highlight=False, soft_wrap=True)


def _write_gif(frames: list[np.ndarray], path: Path) -> None:
    from PIL import Image  # comes with matplotlib

    images = [Image.fromarray(frame) for frame in frames]
    with written_beside(path) as temporary:
        images[0].save(
            temporary, "GIF", save_all=True, append_images=images[1:], duration=FRAME_MILLISECONDS, loop=0
        )
