"""The command, as a user meets it: tables, files, one clear error each."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from typer.testing import CliRunner

from labelchain.cli.app import app
from labelchain.envs.datasets import read_npz, write_npz


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


@pytest.fixture
def npz(tmp_path, dataset):
    path = tmp_path / "small.npz"
    write_npz(dataset, path)
    return path


def assert_error(result, code, *parts):
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) == 1
    assert "Traceback" not in result.output
    for part in parts:
        assert part in lines[0]


def test_without_arguments_it_shows_what_it_can_do():
    result = run()
    for command in ("datasets", "train", "evaluate", "compare"):
        assert command in result.output


def test_it_tells_its_version():
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"labelchain {version('labelchain')}\n")


def test_datasets_lists_the_catalogue():
    result = run("datasets")
    assert result.exit_code == 0
    for name in ("digit-scenes", "bibtex", "delicious"):
        assert name in result.output
    assert "4,880" in result.output


def test_brackets_and_dollars_are_no_markup(tmp_path, npz):
    folder = tmp_path / "[" / "x]" / "$a__b$"  # [/x] in its path, and mathematics that is none
    folder.mkdir(parents=True)
    path = folder / "we[i]rd.npz"
    write_npz(read_npz(npz, name="[x] $a__b$"), path)
    assert run("datasets", "show", path).exit_code == 0
    result = run("compare", path, "--learners", "popularity", "--out", folder / "out")
    assert result.exit_code == 0, result.output
    assert "[x] $a__b$, test split" in result.output
    made = folder / "out" / "popularity" / "seed-0"
    result = run("predict", made, path, "--out", folder / "answers.csv")
    assert result.exit_code == 0, result.output


def test_train_then_evaluate_gives_the_same_metrics(tmp_path, npz):
    out = tmp_path / "run"
    trained = run("train", "always-random", npz, "--epochs", 2, "--out", out, "--set", "width=8")
    assert trained.exit_code == 0, trained.output
    evaluated = run("evaluate", out)
    assert evaluated.exit_code == 0, evaluated.output
    result = json.loads((out / "result.json").read_text())["metrics"]
    for name in ("P@1", "f1_example", "length"):
        assert f"{result[name]:.2f}" in trained.output
        assert f"{result[name]:.2f}" in evaluated.output
    config = json.loads((out / "config.json").read_text())
    assert (config["learner"], config["seed"], config["settings"]["width"]) == ("always-random", 0, 8)
    assert run("evaluate", out, "--split", "validation").exit_code == 0
    assert "first-step" in run("evaluate", out, "--decoding", "first-step").output
    assert_error(run("evaluate", out, "--decoding", "best"), 2, "'best'", "sampled-chains, beam")
    run("train", "popularity", npz, "--out", tmp_path / "popular")
    refused = run("evaluate", tmp_path / "popular", "--decoding", "beam")
    assert_error(refused, 2, "popularity has no chains: --decoding is for networks")
    assert_error(run("train", "chain-pg", npz, "--preset", "slow"), 2, "unknown preset 'slow'", "nam2019")


def test_tune_ends_with_settings_that_train_takes(tmp_path, npz):
    result = run("tune", "freq2rare", npz, "--trials", 2, "--epochs", 1, "--out", tmp_path / "tune")
    assert result.exit_code == 0, result.output
    best = json.loads((tmp_path / "tune" / "tuned.json").read_text())["best"]["settings"]
    settings = " ".join(f"--set {name}={value!r}" for name, value in best.items())
    expected = f"use: labelchain train freq2rare {npz} --epochs 1 {settings}"  # and nothing that is default
    assert result.output.splitlines()[-1] == expected
    assert_error(run("tune", "composite", npz), 2, "'composite' cannot be tuned")


def test_tune_ends_with_the_command_that_trains_what_was_found(tmp_path):
    rng = np.random.default_rng(0)
    names = [tmp_path / f"my [red] :cat: {part}.svm" for part in ("train", "test")]
    for path in names:
        pairs = (
            " ".join(f"{i}:{value:.3f}" for i, value in enumerate(row)) for row in rng.normal(size=(30, 4))
        )
        path.write_text("".join(f"{n % 3} {row}\n" for n, row in enumerate(pairs)))
    data, test = names
    told = ("--test", test, "--seed", 3, "--preset", "nam2019", "--epochs", 2)
    changes = ("--set", "cell=sum", "--set", "embedding=4", "--set", "hidden=4", "--set", "width=7")
    out = tmp_path / "tune"
    result = run("tune", "chain-pg", data, *told, *changes, "--trials", 2, "--out", out)
    assert result.exit_code == 0, result.output
    command = result.output.splitlines()[-1].removeprefix("use: ")
    assert "--set width=7 " in command  # which was not searched
    done = run(*shlex.split(command)[1:], "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    scores = [trial["score"] for trial in json.loads((out / "tuned.json").read_text())["trials"]]
    trial = out / f"trial-{scores.index(max(scores))}"
    for name in ("config.json", "model.pt"):
        assert (tmp_path / "run" / name).read_bytes() == (trial / name).read_bytes()


def test_compare_writes_results_and_a_figure(tmp_path, npz):
    out = tmp_path / "comparison"
    learners = "popularity,freq2rare,always-random,target-reordering,chain-pg,composite"
    arguments = [
        "compare",
        npz,
        "--learners",
        learners,
        "--seeds",
        2,
        "--epochs",
        2,
        "--jobs",
        1,
        "--out",
        out,
    ]
    result = run(*arguments, "--set", "width=8")
    assert result.exit_code == 0, result.output
    results = json.loads((out / "results.json").read_text())
    assert list(results["learners"]) == learners.split(",")
    assert results["decoding"] == "chain"
    for entry in results["learners"].values():
        for metric in entry.values():
            assert metric["mean"] == pytest.approx(np.mean(metric["values"]))
            assert len(metric["values"]) == 2
    gain = results["gains"]["composite"]["best order"]["P@1"]
    assert gain["opponent"] in ("freq2rare", "always-random")
    assert gain["value"] == results["learners"]["composite"]["P@1"]["mean"]
    assert (out / "results.csv").read_text().startswith("learner,against,decoding,metric,value")
    report = (out / "report.md").read_text()
    assert "sampled-chains" in report
    assert "## `composite` against the best order" in report
    for name in ("comparison.png", "gains.png", "time.png", "positions.png"):
        assert f"]({name})" in report
        assert (out / name).exists()
    assert (out / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "composite against the best order compared" in result.output
    before = (out / "results.json").read_text()
    assert run(*arguments, "--set", "width=8").exit_code == 0
    assert (out / "results.json").read_text() == before
    refused = run(*arguments, "--set", "width=9")
    assert_error(refused, 1, "holds a comparison with width=8, not 9", "another folder")


def test_a_comparison_is_extended_and_names_the_commands_that_made_it(tmp_path, npz, monkeypatch):
    out = tmp_path / "out"

    def words_of(*arguments: object) -> list[object]:
        return ["compare", npz, *arguments, "--epochs", 1, "--set", "width=8", "--jobs", 1, "--out", out]

    def commanded(*arguments: object) -> str:
        words = words_of(*arguments)
        monkeypatch.setattr(sys, "argv", ["/bin/labelchain", *map(str, words)])
        result = run(*words)
        assert result.exit_code == 0, result.output
        return " ".join(["labelchain", *map(str, words)])

    first = commanded("--learners", "popularity,freq2rare")
    second = commanded("--learners", "freq2rare", "--seeds", 2)
    commanded("--learners", "popularity")  # is there already
    report = (out / "report.md").read_text()
    assert f"```sh\n{first}\n{second}\n```" in report
    (out / "commands.json").write_text("{}")
    damaged = run(*words_of("--learners", "rare2freq"))
    assert_error(damaged, 1, "commands.json must hold a list of commands")
    assert not (out / "rare2freq").exists()


@pytest.mark.parametrize("command", [("train", "popularity"), ("tune", "freq2rare"), ("play",)])
def test_seeds_are_no_larger_than_numpy_takes(tmp_path, npz, command):
    target = ["Chain-v0", "--dataset", npz] if command == ("play",) else [npz, "--out", tmp_path / "run"]
    result = run(*command, *target, "--seed", 2**32)
    assert result.exit_code == 2
    assert "less than or equal to 4294967295" in result.stderr
    assert not (tmp_path / "run").exists()


def test_wrong_names_are_usage_errors(tmp_path):
    assert_error(run("compare", "digit-scene", "--out", tmp_path), 2, "'digit-scene'", "digit-scenes")
    assert_error(run("train", "composit", "digit-scenes"), 2, "unknown learner 'composit'", "composite")
    assert_error(run("compare", "digit-scenes", "--learners", "freq2rare,nix"), 2, "unknown learner 'nix'")
    assert_error(run("compare", "digit-scenes", "--learners", ""), 2, "unknown learner ''")
    assert_error(run("train", "popularity", "digit-scenes", "--set", "wdth=3"), 2, "unknown setting 'wdth'")
    assert_error(run("train", "popularity", "digit-scenes", "--set", "width"), 2, "NAME=VALUE, got 'width'")
    assert_error(run("train", "popularity", "digit-scenes", "--set", "width=x"), 2, "type int, got 'x'")
    assert_error(
        run("train", "popularity", "digit-scenes", "--set", "dropout=1.5"), 2, "dropout must be in [0, 1)"
    )
    assert_error(run("train", "popularity", "digit-scenes", "--set", "reward=f3"), 2, "unknown reward 'f3'")
    result = run("compare", "digit-scenes", "--epochs", 0)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_engines_are_two_and_only_ray_has_an_address(npz):
    assert_error(run("compare", npz, "--engine", "dask"), 2, "--engine", "processes or ray", "'dask'")
    assert_error(run("compare", npz, "--address", "auto"), 2, "--address", "--engine ray")


def test_missing_and_damaged_files_are_input_errors(tmp_path, npz):
    assert_error(run("compare", tmp_path / "none.npz"), 1, "none.npz")
    npz.write_bytes(npz.read_bytes()[:100])
    assert_error(run("compare", npz), 1, "small.npz")
    assert_error(run("evaluate", tmp_path / "nowhere"), 1, "config.json does not exist: expected the folder")
    (tmp_path / "config.json").write_text("[]")
    assert_error(run("evaluate", tmp_path), 1, "must hold a JSON object")
    (tmp_path / "config.json").write_text('{"learner": "composite"}')
    assert_error(run("evaluate", tmp_path), 1, "is not the configuration of a run")


def test_evaluating_on_data_that_do_not_fit_is_an_input_error(tmp_path, npz):
    out = tmp_path / "run"
    assert run("train", "always-random", npz, "--epochs", 1, "--out", out).exit_code == 0
    assert_error(
        run("evaluate", out, "--dataset", "digit-scenes"), 1, "does not fit digit-scenes (256 features"
    )
    assert_error(run("evaluate", out, "--split", "tst"), 1, "unknown split 'tst'")
    with np.load(npz) as arrays:
        names = np.array(["f", "e", "d", "c", "b"])
        np.savez(tmp_path / "named.npz", **{**arrays, "y_names": names})
        np.savez(tmp_path / "turned.npz", **{**arrays, "y_names": names[::-1]})
    assert run("train", "popularity", tmp_path / "named.npz", "--out", tmp_path / "named").exit_code == 0
    turned = run("evaluate", tmp_path / "named", "--dataset", tmp_path / "turned.npz")
    assert_error(turned, 1, "does not have the labels of the training in their order", "'b' instead of 'f'")


def mulan_folder(folder, *, labels=("a", "b"), row="1.0,0.5,1,0", rows=3):
    attributes = "".join(f"@attribute {name}\n" for name in ("x numeric", "y numeric", "a {0,1}", "b {0,1}"))
    header = f"@relation r\n{attributes}@data\n"
    folder.mkdir()
    for part in ("train", "test"):
        (folder / f"r-{part}.arff").write_text(header + f"{row}\n" * (rows if part == "train" else 2))
    tags = "".join(f'<label name="{label}"/>' for label in labels)
    (folder / "r.xml").write_text(f'<labels xmlns="http://mulan.sourceforge.net/labels">{tags}</labels>')
    return folder


def test_wrong_mulan_files_are_input_errors(tmp_path):
    assert run("train", "popularity", mulan_folder(tmp_path / "good"), "--out", tmp_path / "o").exit_code == 0
    cases = {
        "label": ({"labels": ("a", "c")}, "c"),
        "value": ({"row": "1.0,0.5,2,0"}, "2"),
        "nan": ({"row": "nan,0.5,1,0"}, "r-train.arff"),
        "empty": ({"rows": 0}, "empty"),
    }
    for name, (change, part) in cases.items():
        folder = mulan_folder(tmp_path / name, **change)
        assert_error(run("train", "popularity", folder, "--out", tmp_path / "out"), 1, part)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_go_on(tmp_path, npz, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("labelchain.agents.training.evaluate", interrupt)
    result = run("train", "always-random", npz, "--epochs", 1, "--out", tmp_path / "run")
    assert_error(result, 130, "the same command goes on from here")


def test_names_that_the_terminal_cannot_show_are_spelled_out(tmp_path, dataset):
    path = tmp_path / "größe.npz"
    write_npz(replace(dataset, label_names=("größe", *"bcde")), path)
    done = subprocess.run(
        [sys.executable, "-m", "labelchain.cli", "datasets", "show", path],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert r"gr\xf6\xdfe" in done.stdout


def test_a_light_install_says_what_the_command_needs():
    code = "import sys; sys.modules['typer'] = None\nfrom labelchain.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'labelchain[train]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["train", "popularity"], ["compare"], ["tune", "chain-pg"]])
def test_where_no_folder_can_be_is_told_before_the_data_are_loaded(tmp_path, command):
    (tmp_path / "file").write_text("mine")
    result = run(*command, tmp_path / "none.npz", "--out", tmp_path / "file" / "run")
    assert result.exit_code == 1
    expected = f"error: expected the path of a folder, got something else: {tmp_path / 'file'}\n"
    assert result.stderr == expected
