"""Train any agent by name, in one short script; see ``python -m labelchain.agents.train -h``.

It shows how the parts go together, and is meant to be copied. (``labelchain train`` does more: it selects a
model for each family of metrics, writes results that compare, and goes on with a run that was stopped.)

``torchrun --nproc-per-node 2 -m labelchain.agents.train always-random bibtex`` trains one network in two
processes, see :mod:`labelchain.agents.data_parallel`.
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
from labelchain.agents.data_parallel import NETWORKS, is_launched, joined, train_network
from labelchain.agents.devices import CPU, DEVICES, device_named
from labelchain.agents.plain_values import LARGEST_SEED
from labelchain.agents.sb3 import ALGORITHMS, make_agent
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.agents.settings import named_values, settings_for
from labelchain.agents.zoo_hyperparameters import zoo_entry
from labelchain.envs import ENV_IDS, MultilabelDataset, default_max_labels, evaluate, load_dataset
from labelchain.envs.datasets import source_name
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS

NUM_EVALUATIONS = 10


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; its hyperparameters are those of ``agents/hyperparameters``."""
    parser = argparse.ArgumentParser(prog="python -m labelchain.agents.train", description="Train one agent.")
    names = list(dict.fromkeys(["chain-pg", *ALGORITHMS, *NETWORKS]))
    parser.add_argument("agent", choices=names, help="which agent")
    parser.add_argument("env", help="an environment's id, or a data set by name or path")
    parser.add_argument("--seed", type=_count, default=0, help="seeds everything random (default: 0)")
    parser.add_argument("--out", type=Path, help="folder (default: runs/AGENT-DATASET-SEED)")
    parser.add_argument(
        "--device", choices=DEVICES, default="cpu", help="where networks and chain-pg are (default: cpu)"
    )
    agents = parser.add_argument_group(f"agents of Stable-Baselines3, and chain-pg: {', '.join(ALGORITHMS)}")
    agents.add_argument("--steps", type=_count, help="environment steps (default: suits the environment)")
    agents.add_argument("--reward", help="name of the reward (default: suits the agent)")
    agents.add_argument(
        "--metric",
        choices=(*RANKING_METRICS, *LABEL_SET_METRICS),
        metavar="NAME",
        help="selects the best model (default: f1_example)",
    )
    networks = parser.add_argument_group(f"networks, in processes of torchrun or one: {', '.join(NETWORKS)}")
    networks.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="change a setting, such as epochs=5"
    )
    args = parser.parse_args(arguments)
    args.is_network = is_launched() or (args.agent not in ALGORITHMS and args.agent != "chain-pg")
    if args.is_network and (args.steps, args.reward, args.metric) != (None, None, None):
        parser.error("networks have no --steps, --reward or --metric: take --set epochs=N, --set reward=NAME")
    if args.steps == 0:
        parser.error("--steps must be at least 1")
    if args.set and not args.is_network:
        parser.error(f"--set is for networks; {args.agent} has --steps, --reward and --metric")
    return args


def _count(text: str) -> int:
    """A whole number that is not negative, and no larger than seeds are; argparse names the option if not."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {LARGEST_SEED}, got {text!r}")
    return int(text)


def make(
    agent: str, dataset: MultilabelDataset, seed: int, reward: str | None, device: torch.device = CPU
) -> BaseAlgorithm:
    """An agent on its environments, not trained yet."""
    entry = zoo_entry(agent, dataset.name)
    if agent != "chain-pg":
        return make_agent(agent, dataset, entry, seed, reward=reward)
    env = ChainVecEnv(dataset, entry.n_envs, **(entry.env_kwargs | ({"reward": reward} if reward else {})))
    return ChainPG(entry.policy, env, seed=seed, device=device, **entry.arguments)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, keep the best model on the validation split, and evaluate it on the test split."""
    args = parse(arguments)
    processors_only = "torchrun" if is_launched() else args.agent if args.agent in ALGORITHMS else None
    device = device_named(args.device, processors_only)
    torch.set_num_threads(1)
    name = ENV_IDS.get(args.env, args.env)
    if name is None:
        raise ValueError(f"{args.env} is of any data set: name that instead, such as digit-scenes")
    dataset = load_dataset(name)
    out = args.out or Path("runs") / f"{args.agent}-{dataset.name}-{args.seed}"
    if args.is_network:
        settings = settings_for(dataset).with_changes(named_values(args.set))
        with joined():
            metrics = train_network(
                args.agent, dataset, source_name(name, None), settings, args.seed, out, device
            )
        if metrics:
            tell(metrics, out / "model.pt", out)
        return metrics
    steps = args.steps or zoo_entry(args.agent, dataset.name).n_timesteps

    model = make(args.agent, dataset, args.seed, args.reward, device)
    model.set_logger(configure(str(out), ["stdout", "tensorboard"]))
    best = BestCheckpoint(out / "model.zip", args.metric or "f1_example")
    every = max(1, steps // NUM_EVALUATIONS)
    model.learn(steps, callback=ExactEvaluation(dataset, every, after=[best, OrderStatistics()]))

    model.set_parameters(str(best.path))
    metrics = evaluate(policy_predictor(model, default_max_labels(dataset)), dataset, "test").metrics
    tell(metrics, best.path, out)
    return metrics


def tell(metrics: dict[str, float], model: Path, out: Path) -> None:
    """Print what came out."""
    sys.stdout.write("".join(f"test {name:20} {value:8.3f}\n" for name, value in metrics.items()))
    sys.stdout.write(f"best model: {model}, curves: labelchain board {out}\n")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:  # of data, names and values: the message says all
        sys.exit(f"error: {error}")
