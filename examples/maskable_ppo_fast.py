"""sb3-contrib's MaskablePPO on ChainVecEnv, which steps all environments as one numpy batch."""

import argparse

import torch
from sb3_contrib import MaskablePPO

from labelchain.agents.callbacks import EarlyStopping, ExactEvaluation
from labelchain.agents.chain_vec_env import make_vec_env
from labelchain.agents.sb3_policies import policy_predictor
from labelchain.envs import evaluate

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=200_000, help="environment steps")
steps = parser.parse_args().steps
torch.set_num_threads(1)  # networks this small are fastest with one

env = make_vec_env("labelchain/DigitScenes-v0", n_envs=32, seed=0, env_kwargs={"reward": "f1"})
model = MaskablePPO(
    "MultiInputPolicy",
    env,
    n_steps=64,
    batch_size=512,
    n_epochs=6,
    learning_rate=1e-3,
    gamma=0.9,
    ent_coef=0.01,
    policy_kwargs={"net_arch": [256, 256]},
    seed=0,
    device="cpu",
)

# Every tenth of the way: every row of the validation split, once. Stop after three evaluations without gain.
evaluation = ExactEvaluation(
    env.dataset, every=max(1, steps // 10), after=[EarlyStopping("f1_example", patience=3)]
)
model.learn(steps, callback=evaluation)

metrics = evaluate(policy_predictor(model, env.max_labels), env.dataset, "test").metrics
print(f"{model.num_timesteps} steps: test P@1 {metrics['P@1']:.1f}, F1 {metrics['f1_example']:.1f}")
