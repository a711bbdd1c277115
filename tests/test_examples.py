"""The examples and the training script run, with small budgets."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.chain_pg_algorithm import ChainPG
from labelchain.agents.train import main

EXAMPLES_FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(EXAMPLES_FOLDER.glob("*.py"))
SAYS = {
    "chain_pg": r"emitted \[.*\], true \[.*\], F1 \d\.\d\d",
    "custom_policy": r"\d+ steps: test P@1 \d+\.\d, F1 \d+\.\d",
    "digits_image": r"300 pictures: best digit right 0\.\d+.*decided: .*there: ",
    "evaluate_with_masks": r"mean F1 of \d+ episodes: 0\.\d+.*P@1 +\d+",
    "load_checkpoint": r"trained for \d+, then up to \d+ steps.*(label set .*){5}",
    "maskable_ppo_fast": r"\d+ steps: test P@1 \d+\.\d, F1 \d+\.\d",
    "ppo_from_gym_make": r"F1 of 200 test episodes after 512 steps: 0\.\d+",
    "ppo_one_file": r"masked actions taken: 0; test F1 of \d+ episodes: 0\.\d+",
    "tag_text": r"\d{4} docstrings, \d\d tags.*F1 0\.\d+, whole set right 0.*Solve a sparse.*decided: ",
}

FEW = {
    "digits_image": ["--epochs", "2", "--rows", "300"],
    "ppo_from_gym_make": ["--steps", "500"],
    "tag_text": ["--epochs", "1", "--learner", "always-random"],
}
"""Budgets, where 2,000 steps are not what is meant."""

ELSEWHERE = ["rllib_ppo", "torchrl_ppo"]
"""Examples that need other libraries: ``test_other_libraries.py``."""


def test_every_example_is_tested():
    assert [path.stem for path in EXAMPLES] == sorted([*SAYS, *ELSEWHERE])


@pytest.mark.parametrize("name", SAYS)
def test_example(name, monkeypatch, capsys):
    path, few = EXAMPLES_FOLDER / f"{name}.py", FEW.get(name, ["--steps", "2000"])
    monkeypatch.setattr("sys.argv", [path.name, *few])
    runpy.run_path(str(path), run_name="__main__")
    assert re.search(SAYS[name], capsys.readouterr().out, flags=re.DOTALL)


@pytest.mark.parametrize("agent", ["chain-pg", "maskable-ppo"])
def test_training_script(agent, tmp_path, capsys):
    arguments = [agent, "labelchain/DigitScenes-v0", "--steps", "3000", "--seed", "3", "--out", str(tmp_path)]
    metrics = main(arguments)
    said = capsys.readouterr().out
    assert re.search(rf"test P@1 +{metrics['P@1']:.3f}", said)
    assert f"labelchain board {tmp_path}" in said
    if agent == "chain-pg":
        assert ChainPG.load(tmp_path / "model.zip").reward is None
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert {"eval/P@1", "chain/length", "rollout/ep_rew_mean", "train/loss"} <= set(events.Tags()["scalars"])


def test_training_script_names_its_choices(capsys):
    with pytest.raises(SystemExit):
        main(["sarsa", "labelchain/DigitScenes-v0"])
    assert "invalid choice: 'sarsa' (choose from" in capsys.readouterr().err


def test_the_training_script_says_what_is_wrong_in_one_line():
    command = [sys.executable, "-m", "labelchain.agents.train", "ppo", "labelchain/Bibtx-v0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: no such file or folder: labelchain/Bibtx-v0\n"
