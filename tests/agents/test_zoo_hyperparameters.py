"""Hyperparameters in rl-zoo's form: read, complete, and understood by rl-zoo itself."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from labelchain.agents.sb3 import ALGORITHMS, make_agent
from labelchain.agents.zoo_hyperparameters import FOLDER, zoo_entry

ROOT = Path(__file__).parents[2]


def test_there_is_a_file_for_every_algorithm_and_it_is_installed():
    assert {path.stem for path in FOLDER.glob("*.yml")} == {*ALGORITHMS, "chain-pg"}
    assert FOLDER.parent == ROOT / "agents"
    assert '"labelchain.agents" = ["hyperparameters/*.yml"]' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("name", ["digit-scenes", "bibtex", "another"])
def test_every_entry_makes_an_agent(make_dataset, algorithm, name):
    entry = zoo_entry(algorithm, name)
    assert entry.n_timesteps <= 500_000
    agent = make_agent(algorithm, make_dataset(sparse=name == "bibtex"), entry, seed=0)
    assert agent.n_envs == entry.n_envs
    assert agent.gamma == entry.arguments["gamma"]
    assert agent.get_env().get_attr("reward")[0] == entry.env_kwargs["reward"]


def test_a_linear_schedule_falls_to_zero():
    schedule = zoo_entry("maskable-ppo", "bibtex").arguments["learning_rate"]
    np.testing.assert_allclose([schedule(1.0), schedule(0.5), schedule(0.0)], [0.001, 0.0005, 0.0])


@pytest.mark.skipif(
    importlib.util.find_spec("rl_zoo3") is None, reason="needs rl-zoo: pip install 'labelchain[zoo]'"
)
def test_rl_zoo_trains_with_them(tmp_path):
    command = [
        *(sys.executable, "-W", "ignore", "-m", "rl_zoo3.train", "--algo", "ppo"),
        *("--env", "labelchain/DigitScenes-v0", "--gym-packages", "labelchain.envs"),
        *("-conf", str(FOLDER / "ppo.yml"), "-n", "2000", "--eval-freq", "-1", "--device", "cpu"),
        *("-f", str(tmp_path), "--num-threads", str(torch.get_num_threads())),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("labelchain-DigitScenes-v0.zip")), done.stdout
