"""PPO by RLlib on the native vector environment, with a module of our own that masks actions.

It needs ``pip install 'ray[rllib]'``, which brings the release of Gymnasium that it is made for. RLlib gives
observations to a module, not infos, so a wrapper puts the mask into the observation.
"""

import argparse
from typing import Any

import gymnasium as gym
import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.tune.registry import register_env
from torch import nn

import labelchain.envs  # noqa: F401  (registers the ids)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
steps = parser.parse_args().steps
STEPS_PER_ITERATION = 1000
torch.set_num_threads(1)  # networks this small are fastest with one


class MaskedModule(TorchRLModule, ValueFunctionAPI):
    """A policy and a value on the picture and the labels emitted so far."""

    def setup(self) -> None:
        num_labels = int(self.observation_space["emitted"].n)
        inputs = self.observation_space["features"].shape[0] + num_labels
        self.body = nn.Sequential(nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
        self.actor, self.critic = nn.Linear(256, num_labels + 1), nn.Linear(256, 1)

    def _hidden(self, batch: dict[str, Any]) -> torch.Tensor:
        seen = batch[Columns.OBS]
        return self.body(torch.cat([seen["features"], seen["emitted"].float()], dim=-1))

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, torch.Tensor]:
        logits = self.actor(self._hidden(batch))
        return {Columns.ACTION_DIST_INPUTS: logits.masked_fill(batch[Columns.OBS]["action_mask"] == 0, -1e8)}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        del embeddings  # of networks that share their body
        return self.critic(self._hidden(batch)).squeeze(-1)


class MaskObserved(gym.vector.VectorWrapper):
    """Puts the masks into the observations, and counts actions that they forbid."""

    taken = 0

    def __init__(self, env: gym.vector.VectorEnv) -> None:
        super().__init__(env)
        actions = int(env.single_action_space.n)
        mask = gym.spaces.Box(0, 1, (actions,), np.int8)
        self.single_observation_space = gym.spaces.Dict({**env.single_observation_space, "action_mask": mask})
        self.observation_space = gym.vector.utils.batch_space(self.single_observation_space, self.num_envs)

    def _with_mask(self, observations: dict[str, Any], infos: dict[str, Any]) -> dict[str, Any]:
        return {**observations, "action_mask": infos["action_mask"]}

    def reset(self, **options: Any) -> Any:
        observations, infos = self.env.reset(**options)
        return self._with_mask(observations, infos), infos

    def step(self, actions: Any) -> Any:
        allowed = self.env.unwrapped.action_masks()[np.arange(self.num_envs), actions]
        MaskObserved.taken += int((~allowed).sum())
        observations, *rest, infos = self.env.step(actions)
        return self._with_mask(observations, infos), *rest, infos


def make(config: dict[str, Any]) -> gym.vector.VectorEnv:
    """The environments of one runner; ``config`` has their number besides what we put into it."""
    return MaskObserved(
        gym.make_vec(
            "labelchain/DigitScenes-v0",
            num_envs=config["num_envs"],
            vectorization_mode="vector_entry_point",
            reward="f1",
            split=config.get("split", "train"),
        )
    )


register_env("scenes", make)
ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
config = (
    PPOConfig()
    .environment("scenes")
    .env_runners(num_env_runners=0, num_envs_per_env_runner=32, gym_env_vectorize_mode="vector_entry_point")
    .rl_module(rl_module_spec=RLModuleSpec(module_class=MaskedModule))
    .training(
        train_batch_size_per_learner=STEPS_PER_ITERATION,
        minibatch_size=250,
        num_epochs=4,
        lr=1e-3,
        gamma=0.9,
        entropy_coeff=0.01,
    )
    .evaluation(
        evaluation_interval=None,
        evaluation_duration=200,
        evaluation_num_env_runners=0,
        evaluation_config={"env_config": {"split": "test"}, "explore": False},
    )
    .debugging(seed=0)
)
algorithm = config.build_algo()
for _ in range(max(1, steps // STEPS_PER_ITERATION)):
    algorithm.train()

# The return of an episode is its F1. (Environments run in this process, so the count is whole.)
mean = algorithm.evaluate()["env_runners"]["episode_return_mean"]
print(f"masked actions taken: {MaskObserved.taken}; test F1 of 200 episodes: {mean:.3f}")
algorithm.stop()
ray.shutdown()
