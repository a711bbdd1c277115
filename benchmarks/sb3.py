"""Stable-Baselines3's agents on ``ChainVecEnv``, and ours beside them: ``python -m benchmarks.sb3``.

On DigitScenes, with the reward F1. Collection is what ``MaskablePPO.learn`` does between two updates: the
policy acts, the environments step. Learning is all of ``learn``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from benchmarks.measuring import Comparison, Options, Work, compare, options, report
from benchmarks.training_steps import DrawnOnly, training
from labelchain.agents.chain_pg import rl_objective
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.settings import settings_for
from labelchain.envs import LabelChainEnv, load_dataset

REWARD = "f1"


def collecting(env: VecEnv, steps: int) -> Work:
    """Collections of ``MaskablePPO`` with SB3's default policy."""
    model = MaskablePPO("MultiInputPolicy", env, n_steps=steps, seed=0, device="cpu")
    _, callback = model._setup_learn(10**9)

    def work() -> int:
        before = model.num_timesteps
        model.collect_rollouts(env, callback, model.rollout_buffer, steps, use_masking=True)
        return model.num_timesteps - before

    return work


def collection(num_envs: int, steps: int, chosen: Options) -> Comparison:
    """Collection of rollouts through both kinds of ``VecEnv``."""
    singles = DummyVecEnv([partial(LabelChainEnv, reward=REWARD)] * num_envs)
    return compare(
        f"MaskablePPO collects, {num_envs} environments",
        "steps",
        ("ChainVecEnv", collecting(ChainVecEnv(num_envs=num_envs, reward=REWARD, seed=0), steps)),
        ("DummyVecEnv", collecting(singles, steps)),
        2.0,
        chosen,
    )


OURS = {"n_steps": 64, "batch_size": 512, "n_epochs": 4}
"""Settings of ``RecurrentPPO`` that labelchain uses (``agents/hyperparameters``); fast ones."""
SB3 = {"n_steps": 128}
"""sb3-contrib's own."""
TINY = {"n_steps": 8, "n_epochs": 1}


def recurrent_ppo(width: int, num_envs: int, arguments: dict[str, Any]) -> Work:
    """Rollouts and updates of sb3-contrib's ``RecurrentPPO``."""
    env = ChainVecEnv(num_envs=num_envs, reward=REWARD, seed=0)
    network: dict[str, Any] = {"lstm_hidden_size": width}
    if arguments is OURS:
        network |= {"net_arch": [width], "enable_critic_lstm": False}
    model = RecurrentPPO(
        "MultiInputLstmPolicy", env, seed=0, device="cpu", policy_kwargs=network, **arguments
    )

    def work() -> int:
        before = model.num_timesteps
        model.learn(model.n_steps * num_envs, reset_num_timesteps=False)
        return model.num_timesteps - before

    return work


def learning(
    cell: str, whose: str, arguments: dict[str, Any], target: float | None, chosen: Options
) -> Comparison:
    """Training of chain-pg and of RecurrentPPO. Labels that chain-pg is given are not counted."""
    width = 8 if chosen.tiny else 256
    dataset = load_dataset("digit-scenes")
    changes = {"cell": cell, "width": width, "embedding": width, "hidden": width, "reward": REWARD}
    settings = settings_for(dataset).with_changes(changes)
    torch.manual_seed(0)
    return compare(
        f"training on digit-scenes, hidden size {width}",
        "labels drawn",
        (f"chain-pg, {cell} cell", training(dataset, settings, DrawnOnly(rl_objective(settings, dataset)))),
        (f"RecurrentPPO, {whose} settings", recurrent_ppo(width, 4 if chosen.tiny else 32, arguments)),
        target,
        chosen,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer all questions."""
    chosen = options(__doc__, arguments)
    peers = {"tiny": TINY} if chosen.tiny else {"sb3-contrib's": SB3, "labelchain's": OURS}
    comparisons = [collection(*((4, 8) if chosen.tiny else (256, 16)), chosen)]
    for whose, settings in peers.items():
        comparisons.append(learning("sum", whose, settings, 20.0, chosen))
        comparisons.append(learning("gru", whose, settings, None, chosen))
    report("sb3", comparisons, chosen)


if __name__ == "__main__":
    main()
