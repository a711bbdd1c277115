"""Stable-Baselines3's PPO on an environment from gym.make: nothing of labelchain but its environments."""

import argparse

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor

import labelchain.envs  # noqa: F401  (registers the ids)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
steps = parser.parse_args().steps

env = gym.make("labelchain/DigitScenes-v0", reward="f1")
model = PPO("MultiInputPolicy", env, n_steps=512, learning_rate=1e-3, gamma=0.9, seed=0, device="cpu")
model.learn(steps)

# The return of an episode is its F1; PPO has no masks, so emitting a label again wastes steps.
test = Monitor(gym.make("labelchain/DigitScenes-v0", reward="f1", split="test"))
mean, deviation = evaluate_policy(model, test, n_eval_episodes=200)
print(f"F1 of 200 test episodes after {model.num_timesteps} steps: {mean:.3f} (deviation {deviation:.3f})")
