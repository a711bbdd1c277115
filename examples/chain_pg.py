"""ChainPG: the recurrent, masked chain policy, trained on whole chains, with SB3's interface."""

import argparse

import torch
from stable_baselines3.common.callbacks import EvalCallback

from labelchain.agents.chain_pg_algorithm import ChainPG
from labelchain.agents.chain_vec_env import make_vec_env

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=100_000, help="environment steps")
steps = parser.parse_args().steps
torch.set_num_threads(1)  # networks this small are fastest with one

env = make_vec_env("labelchain/DigitScenes-v0", n_envs=32, env_kwargs={"reward": "f1"})
model = ChainPG(
    "ChainPolicy",
    env,
    learning_rate=lambda remaining: 1e-3 * remaining,
    estimator="all-actions",  # or "sampled", the actor-critic of Nam et al. (2019)
    warmup=0.5,  # first half: maximum likelihood in random orders
    policy_kwargs={"cell": "sum", "width": 256},  # or "gru"
    seed=0,
)

validation = make_vec_env(
    "labelchain/DigitScenes-v0", n_envs=32, seed=0, env_kwargs={"reward": "f1", "split": "validation"}
)
# eval_freq counts calls, of 32 time steps each.
callback = EvalCallback(validation, n_eval_episodes=200, eval_freq=max(1, steps // 32 // 5))
model.learn(steps, callback=callback)

# One test episode, step by step. The state is the network's memory of the chain so far.
test = make_vec_env("labelchain/DigitScenes-v0", seed=1, env_kwargs={"reward": "f1", "split": "test"})
observation, state, done = test.reset(), None, [False]
while not done[0]:
    action, state = model.predict(observation, state, deterministic=True)
    observation, _, done, infos = test.step(action)
print(f"emitted {infos[0]['chain']}, true {infos[0]['true_labels']}, F1 {infos[0]['episode']['r']:.2f}")
