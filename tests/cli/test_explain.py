"""``labelchain explain``: the chain in the terminal and in files, and one clear error each."""

import numpy as np
import pytest
from typer.testing import CliRunner

from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.baselines import ChainClassifier
from labelchain.baselines.learners import fit, learner_named
from labelchain.cli.app import app
from labelchain.envs.datasets import load_dataset, write_npz


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


@pytest.fixture
def trained(make_run, dataset, tmp_path):
    write_npz(dataset, tmp_path / "small.npz")
    made = make_run("always-random", epochs=8)
    made.dataset = str(tmp_path / "small.npz")
    fit(made, dataset, lambda *_: None)
    return made


def test_it_shows_every_step(trained, dataset, tmp_path):
    png, html = tmp_path / "a.png", tmp_path / "a.html"
    predictor = learner_named("always-random").load(trained, dataset)
    chains = predictor.predict(dataset.dense_features(dataset.rows("test"))).chains
    index = int((chains >= 0).sum(axis=1).argmin())  # ended by STOP, not by the limit
    chain = chains[index]
    done = run("explain", trained.directory, "--index", index, "--top", 2, "--png", png, "--html", html)
    assert done.exit_code == 0, done.output
    names = [dataset.label_names[label] for label in chain if label >= 0]
    line = next(line for line in done.output.splitlines() if line.startswith("chain: "))
    assert [part.rstrip(" ✓✗") for part in line.removeprefix("chain: ").split(" → ")] == (
        names or ["no label, STOP came first"]
    )
    assert f"step {len(names) + 1}" in done.output
    assert "▶ STOP" in done.output
    assert "true:  " in done.output
    assert " missed" in done.output
    assert png.read_bytes().startswith(b"\x89PNG")
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_picture_is_drawn_in_characters(tmp_path):
    data = load_dataset("digit-scenes")
    made = Run(tmp_path / "scenes", "popularity", "digit-scenes", 0, Settings())
    fit(made, data, lambda *_: None)
    assert "popularity has no chains" in run("explain", made.directory, "--index", 0).stderr
    from labelchain.baselines.explanation import Explanation
    from labelchain.cli.errors import console
    from labelchain.cli.explain import print_explanation

    picture = np.array([[0, 1], [1, 0]], dtype=np.float32)
    with console.capture() as said:
        print_explanation(console, Explanation("[bold]t[/bold]", (), (), (), picture, (("[red]", 2.0),)))
    assert "  @@\n@@  \n" in said.get()
    assert "[bold]t[/bold]" in said.get()
    assert "[red] 2" in said.get()


def test_wrong_use_is_one_clear_error(trained, tmp_path):
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = ChainClassifier("always-random", settings={"epochs": 1}, random_state=0, run_dir=tmp_path / "m")
    model.fit(X, [["a"], ["b"]] * 10)
    for arguments, code, message in [
        ((trained.directory, "--index", 99), 1, "row 99 is not in the test split: it has rows 0 to 19"),
        ((trained.directory, "--index", 0, "--split", "tst"), 1, "unknown split 'tst'"),
        ((trained.directory, "--index", 0, "--test", "x"), 2, "--test goes with --dataset"),
        ((tmp_path / "m", "--index", 0), 2, "learned from arrays in memory, which are not kept"),
        ((tmp_path / "none", "--index", 0), 1, "config.json does not exist"),
    ]:
        result = run("explain", *arguments)
        assert result.exit_code == code, result.output
        assert message in result.stderr
        assert "Traceback" not in result.output
