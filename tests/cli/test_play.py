"""``labelchain play``: an episode in the terminal or as a GIF."""

from dataclasses import replace

import pytest
from PIL import Image
from typer.testing import CliRunner

from labelchain.cli.app import app
from labelchain.envs.datasets import write_npz


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


def test_an_episode_is_shown_step_by_step():
    result = run("play", "labelchain/DigitScenes-v0", "--index", 3)
    assert result.exit_code == 0, result.output
    assert "input 3 of test, step 0" in result.output
    assert "chain   (nothing yet)" in result.output
    assert "true    5 6 7 8" in result.output
    assert "subset_accuracy" in result.output
    assert run("play", "labelchain/DigitScenes-v0", "--index", 3).output == result.output


def test_a_trained_run_plays(tmp_path):
    out = tmp_path / "run"
    trained = run("train", "popularity", "digit-scenes", "--out", out)
    assert trained.exit_code == 0, trained.output
    result = run("play", "labelchain/DigitScenes-v0", "--policy", out, "--index", 0)
    assert result.exit_code == 0, result.output
    assert result.output.count("step ") == 5  # three labels and STOP


def test_a_run_plays_data_with_its_columns_alone(tmp_path, dataset):
    for name, labels in (("own", "abcde"), ("other", "abcdf")):
        write_npz(replace(dataset, label_names=tuple(labels)), tmp_path / f"{name}.npz")
    out = tmp_path / "run"
    assert run("train", "popularity", tmp_path / "own.npz", "--out", out).exit_code == 0
    own, other = (
        run("play", "labelchain/Chain-v0", "--dataset", tmp_path / f"{name}.npz", "--policy", out)
        for name in ("own", "other")
    )
    assert own.exit_code == 0, own.output
    assert other.exit_code == 1
    assert "does not have the labels of the training in their order: it has 'f' instead" in other.stderr


def test_a_gif_has_a_frame_per_step(tmp_path):
    path = tmp_path / ("long" * 30) / "episode.gif"
    result = run("play", "labelchain/DigitScenes-v0", "--gif", path)
    assert result.exit_code == 0, result.output
    with Image.open(path) as image:
        assert f"written: {path} ({image.n_frames} frames)\n" in result.output  # in one line: to be copied
        assert image.size == (640, 320)
    assert list(path.parent.iterdir()) == [path]


def test_where_a_gif_cannot_be_is_told_before_the_data_are_loaded(tmp_path):
    result = run("play", "labelchain/Chain-v0", "--dataset", tmp_path / "none.npz", "--gif", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"error: expected the path of a file to write, got a folder: {tmp_path}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["play", "labelchain/Digits-v0"], 2, "labelchain/DigitScenes-v0"),
        (
            ["play", "labelchain/DigitScenes-v0", "--dataset", "emotions"],
            2,
            "--dataset is for labelchain/Chain-v0",
        ),
        (["play", "CartPole-v1"], 2, "unknown environment 'CartPole-v1'"),
        (["play", "labelchain/DigitScenes-v0", "--index", "9999"], 2, "integer in 0..1999"),
        (["play", "labelchain/DigitScenes-v0", "--policy", "nowhere"], 1, "config.json does not exist"),
        (["play", "labelchain/DigitScenes-v0", "--split", "tst"], 1, "unknown split 'tst'"),
        (["play", "labelchain/Chain-v0", "--dataset", "digts"], 2, "unknown data set 'digts'"),
    ],
)
def test_wrong_use_is_one_line(arguments, code, message):
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
