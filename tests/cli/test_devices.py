"""``--device``: every command that trains or reads networks takes it, and says clearly if there is none."""

import json

import pytest
import torch
from typer.testing import CliRunner

from labelchain.agents import devices
from labelchain.agents.decoding import ChainPredictor
from labelchain.cli.app import app
from labelchain.envs.datasets import write_npz

TINY = ("--epochs", 1, "--set", "width=8", "--set", "batch_size=16")


@pytest.fixture
def npz(tmp_path, dataset):
    path = tmp_path / "small.npz"
    write_npz(dataset, path)
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


def test_commands_put_networks_on_the_device(tmp_path, npz, pretended, monkeypatch):
    used = []
    init = ChainPredictor.__init__

    def watched(self, model, max_labels, device="cpu"):
        used.append(torch.device(device))
        init(self, model, max_labels, device)

    asked = []

    def device_named(name, processors_only=None):
        assert processors_only is None
        asked.append(name)
        return pretended.device

    monkeypatch.setattr(ChainPredictor, "__init__", watched)
    monkeypatch.setattr(devices, "device_named", device_named)
    trained, compared = tmp_path / "run", tmp_path / "compared"
    commands = (
        ("train", "order-free", npz, *TINY, "--out", trained),
        ("evaluate", trained, "--decoding", "sampled-chains"),
        ("predict", trained, npz),
        ("compare", npz, *TINY, "--learners", "popularity,order-free", "--jobs", 1, "--out", compared),
        ("tune", "order-free", npz, "--trials", 1, *TINY, "--out", tmp_path / "tuned"),
    )
    for command in commands:
        used.clear()
        result = run(*command, "--device", "auto")
        assert result.exit_code == 0, result.output
        assert set(used) == {pretended.device}, command[0]
    assert asked == ["auto"] * len(commands)
    for folder, device in ((trained, "lazy"), (compared / "popularity" / "seed-0", "cpu")):
        assert json.loads((folder / "config.json").read_text())["device"] == device


@pytest.mark.parametrize(
    "command",
    [
        ("train", "chain-pg", "digit-scenes"),
        ("compare", "digit-scenes"),
        ("tune", "chain-pg", "digit-scenes"),
        ("evaluate", "nowhere"),
        ("predict", "nowhere", "nothing.npz"),
    ],
)
def test_a_gpu_that_is_not_there_is_one_clear_error(command, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = run(*command, "--device", "cuda")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: device 'cuda' needs a GPU, and PyTorch ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("train", "maskable-ppo", "digit-scenes"), "maskable-ppo"),
        (("train", "popularity", "digit-scenes"), "popularity"),
        (("compare", "digit-scenes", "--engine", "ray"), "--engine ray"),
    ],
)
def test_what_computes_on_processors_alone_says_so(command, what, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    result = run(*command, "--device", "cuda")
    assert result.exit_code == 2
    assert result.stderr == f"error: {what} computes on processors alone: take device auto or cpu\n"
