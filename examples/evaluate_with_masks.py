"""Two ways to evaluate an agent: by playing episodes with masks, and exactly, on every row once."""

import argparse

from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy

from labelchain.agents.chain_vec_env import make_vec_env
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import evaluate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
parser.add_argument("--episodes", type=int, default=500, help="episodes to play")
args = parser.parse_args()

env = make_vec_env("labelchain/DigitScenes-v0", n_envs=32, seed=0, env_kwargs={"reward": "f1"})
model = MaskablePPO("MultiInputPolicy", env, n_steps=64, batch_size=512, gamma=0.9, seed=0, device="cpu")
model.learn(args.steps)

# 1. Episodes on inputs drawn from the test split. Labels already emitted are masked in each step.
test = make_vec_env("labelchain/DigitScenes-v0", 32, 0, env_kwargs={"reward": "f1", "split": "test"})
mean, deviation = evaluate_policy(model, test, n_eval_episodes=args.episodes)
print(f"mean F1 of {args.episodes} episodes: {mean:.3f} (deviation {deviation:.3f})")

# 2. Every row of the test split, once: the same for every agent and every call, with all metrics.
metrics = evaluate(policy_predictor(model, test.max_labels), test.dataset, "test").metrics
for name, value in metrics.items():
    print(f"{name:20} {value:8.3f}")
