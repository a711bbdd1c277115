"""Environment steps per second of the native batch: ``python -m benchmarks.env_steps``.

All take actions drawn uniformly, STOP and repeated labels among them, in 1,024 environments that begin a new
episode when one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from scipy import sparse

from benchmarks.measuring import Comparison, Options, Work, compare, options, report
from labelchain.envs import LabelChainEnv, LabelChainVectorEnv, MultilabelDataset, load_dataset

PREPARED = 64
"""Batches of actions drawn ahead."""


def stepping(
    envs: gym.vector.VectorEnv[Any, Any, Any], steps: int = PREPARED, read_infos: bool = False
) -> Work:
    """Steps of a vector environment, actions drawn ahead; whether metrics of ended episodes are read."""
    rng = np.random.default_rng(0)
    actions = rng.integers(envs.single_action_space.n, size=(steps, envs.num_envs))  # type: ignore[attr-defined]
    envs.reset(seed=0)

    def work() -> int:
        for batch in actions:
            infos = envs.step(batch)[-1]
            if read_infos and "metrics" in infos:
                infos["metrics"]
        return int(actions.size)

    return work


def against_sync(dataset: MultilabelDataset, num_envs: int, chosen: Options) -> Comparison:
    """The native batch against Gymnasium's ``SyncVectorEnv`` of single environments."""
    native = LabelChainVectorEnv(num_envs, dataset)
    sync = gym.vector.SyncVectorEnv([partial(LabelChainEnv, dataset)] * num_envs)
    return compare(
        f"{dataset.name}, {num_envs:,} environments",
        "steps",
        ("native batch", stepping(native)),
        ("SyncVectorEnv", stepping(sync, steps=4)),
        30.0,
        chosen,
    )


def against_cartpole(
    observation: str,
    target: float | None,
    num_envs: int,
    chosen: Options,
    copy: bool = True,
    read_infos: bool = False,
) -> Comparison:
    """The native batch against that of Gymnasium's cart-pole."""
    envs = LabelChainVectorEnv(num_envs, "digit-scenes", observation=observation, copy=copy)
    return compare(
        f"digit-scenes, observation={observation}, {num_envs:,} environments"
        + ("" if copy else ", copy=False")
        + (", metrics of ended episodes read at each step" if read_infos else ""),
        "steps",
        ("native batch", stepping(envs, read_infos=read_infos)),
        ("CartPoleVectorEnv", stepping(CartPoleVectorEnv(num_envs))),
        target,
        chosen,
    )


def by_index(num_envs: int, columns: int, chosen: Options) -> Comparison:
    """Rows by number: many sparse columns against 256 dense ones, with the same labels."""
    rng = np.random.default_rng(0)
    rows, num_labels = 2_000, 100
    labels = sparse.csr_array((rng.random((rows, num_labels)) < 0.05).astype(np.int8))
    wide = sparse.random_array((rows, columns), density=100 / columns, format="csr", rng=rng)
    make = partial(
        MultilabelDataset.from_arrays,
        labels=labels,
        train_rows=np.arange(1_000),
        test_rows=np.arange(1_000, rows),
    )
    many, few = make("sparse", wide.astype(np.float32)), make("dense", rng.random((rows, 256)))
    return compare(
        f"observation=index, {num_envs:,} environments, 100 labels",
        "steps",
        (f"{columns:,} sparse columns", stepping(LabelChainVectorEnv(num_envs, many, observation="index"))),
        ("256 dense columns", stepping(LabelChainVectorEnv(num_envs, few, observation="index"))),
        1 / 1.5,
        chosen,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer all questions."""
    chosen = options(__doc__, arguments)
    num_envs = 8 if chosen.tiny else 1_024
    names = ["digit-scenes"] if chosen.tiny else ["digit-scenes", "delicious"]
    comparisons = [against_sync(load_dataset(name), num_envs, chosen) for name in names]
    comparisons += [
        against_cartpole("features", 0.25, num_envs, chosen),
        against_cartpole("features", None, num_envs, chosen, copy=False),
        against_cartpole("index", 0.5, num_envs, chosen),
        against_cartpole("index", None, num_envs, chosen, copy=False),
        against_cartpole("index", None, num_envs, chosen, read_infos=True),
        by_index(num_envs, 300 if chosen.tiny else 30_000, chosen),
    ]
    report("env_steps", comparisons, chosen)


if __name__ == "__main__":
    main()
