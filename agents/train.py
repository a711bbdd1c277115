"""Train any agent by name, in one short script; see ``python -m labelchain.agents.train -h``.

It shows how the parts go together, and is meant to be copied. (``labelchain train`` does more: it selects a
model for each family of metrics, writes results that compare, and goes on with a run that was stopped.)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import configure

from labelchain.agents.callbacks import BestCheckpoint, ExactEvaluation, OrderStatistics
from labelchain.agents.chain_pg_algorithm import ChainPG
from labelchain.agents.chain_vec_env import ChainVecEnv
from labelchain.agents.sb3 import ALGORITHMS, make_agent
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.agents.zoo_hyperparameters import zoo_entry
from labelchain.envs import ENV_IDS, MultilabelDataset, default_max_labels, evaluate, load_dataset

NUM_EVALUATIONS = 10


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; its hyperparameters are those of ``agents/hyperparameters``."""
    parser = argparse.ArgumentParser(prog="python -m labelchain.agents.train", description="Train one agent.")
    parser.add_argument("agent", choices=["chain-pg", *ALGORITHMS], help="which agent")
    parser.add_argument("env", help="an environment's id, or a data set by name or path")
    parser.add_argument("--steps", type=int, help="environment steps (default: suits the environment)")
    parser.add_argument("--reward", help="name of the reward (default: suits the agent)")
    parser.add_argument("--seed", type=int, default=0, help="seeds everything random (default: 0)")
    parser.add_argument("--metric", default="f1_example", help="selects the best model (default: f1_example)")
    parser.add_argument("--out", type=Path, help="folder (default: runs/AGENT-DATASET-SEED)")
    return parser.parse_args(arguments)


def make(agent: str, dataset: MultilabelDataset, seed: int, reward: str | None) -> BaseAlgorithm:
    """An agent on its environments, not trained yet."""
    entry = zoo_entry(agent, dataset.name)
    if agent != "chain-pg":
        return make_agent(agent, dataset, entry, seed, reward=reward)
    env = ChainVecEnv(dataset, entry.n_envs, **(entry.env_kwargs | ({"reward": reward} if reward else {})))
    return ChainPG(entry.policy, env, seed=seed, **entry.arguments)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, keep the best model on the validation split, and evaluate it on the test split."""
    args = parse(arguments)
    torch.set_num_threads(1)
    dataset = load_dataset(ENV_IDS.get(args.env) or args.env)
    out = args.out or Path("runs") / f"{args.agent}-{dataset.name}-{args.seed}"
    steps = args.steps or zoo_entry(args.agent, dataset.name).n_timesteps

    model = make(args.agent, dataset, args.seed, args.reward)
    model.set_logger(configure(str(out), ["stdout", "tensorboard"]))
    best = BestCheckpoint(out / "model.zip", args.metric)
    every = max(1, steps // NUM_EVALUATIONS)
    model.learn(steps, callback=ExactEvaluation(dataset, every, after=[best, OrderStatistics()]))

    model.set_parameters(str(best.path))
    metrics = evaluate(policy_predictor(model, default_max_labels(dataset)), dataset, "test").metrics
    sys.stdout.write("".join(f"test {name:20} {value:8.3f}\n" for name, value in metrics.items()))
    sys.stdout.write(f"best model: {best.path}, curves: labelchain board {out}\n")
    return metrics


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:  # of data, names and values: the message says all
        sys.exit(f"error: {error}")
