"""A policy of your own: SB3's MaskablePPO with a small convolutional network that reads the pictures."""

import argparse

import gymnasium as gym
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from labelchain.agents.chain_vec_env import make_vec_env
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import evaluate


class PictureAndChain(BaseFeaturesExtractor):
    """Convolutions over the 16 x 16 picture, beside the labels emitted so far."""

    def __init__(self, observation_space: gym.spaces.Dict) -> None:
        super().__init__(observation_space, features_dim=128 + observation_space["emitted"].n)
        self.picture = nn.Sequential(
            nn.Unflatten(1, (1, 16, 16)),
            nn.Conv2d(1, 16, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 7 * 7, 128),
            nn.ReLU(),
        )

    def forward(self, observation: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.cat([self.picture(observation["features"]), observation["emitted"]], dim=1)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=100_000, help="environment steps")
steps = parser.parse_args().steps

env = make_vec_env("labelchain/DigitScenes-v0", n_envs=32, seed=0, env_kwargs={"reward": "f1"})
model = MaskablePPO(
    "MultiInputPolicy",
    env,
    n_steps=64,
    batch_size=512,
    learning_rate=1e-3,
    gamma=0.9,
    policy_kwargs={"features_extractor_class": PictureAndChain, "net_arch": [256]},
    seed=0,
    device="cpu",
)
model.learn(steps)
metrics = evaluate(policy_predictor(model, env.max_labels), env.dataset, "test").metrics
print(f"{model.num_timesteps} steps: test P@1 {metrics['P@1']:.1f}, F1 {metrics['f1_example']:.1f}")
