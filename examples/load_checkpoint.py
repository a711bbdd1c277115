"""Save an agent, load it, go on training, and use it on features that come from elsewhere."""

import argparse
import tempfile
from pathlib import Path

from labelchain.agents.chain_pg_algorithm import ChainPG
from labelchain.agents.chain_vec_env import make_vec_env
from labelchain.agents.sb3_policies import policy_predictor

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=50_000, help="environment steps")
steps = parser.parse_args().steps

env = make_vec_env("labelchain/DigitScenes-v0", n_envs=8, env_kwargs={"reward": "f1"})
model = ChainPG("ChainPolicy", env, seed=0).learn(steps // 2)

# SB3's zip files hold pickled objects: load only files that you trust.
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "agent.zip"
    model.save(path)
    loaded = ChainPG.load(path, env=env)

loaded.learn(steps - steps // 2, reset_num_timesteps=False)
print(f"trained for {model.num_timesteps}, then up to {loaded.num_timesteps} steps")

# Rankings and label sets for any features (n, 256); here the first test rows.
rows = env.dataset.rows("test")[:5]
predictions = policy_predictor(loaded, env.max_labels).predict(env.dataset.dense_features(rows))
for chain, ranking in zip(predictions.chains, predictions.ranking, strict=True):
    print(f"label set {chain[chain >= 0].tolist()}, ranking {ranking.tolist()}")
