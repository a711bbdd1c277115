"""``labelchain datasets``, and data given to commands by path or by a name that is not here yet."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from labelchain.cli.app import app
from labelchain.envs.datasets import CATALOGUE, CatalogueEntry
from labelchain.envs.datasets.entries import DataFile

HEADER = "@relation toy\n@attribute x numeric\n@attribute y {0,1}\n@attribute z {0,1}\n@data\n"
CONTENT = {
    "toy-train.arff": HEADER + "1,1,0\n2,0,1\n3,1,1\n4,1,0\n" * 5,
    "toy-test.arff": HEADER + "1,1,0\n2,0,1\n",
    "toy.xml": '<labels><label name="y"/><label name="z"/></labels>',
}


def run(*arguments: Any, text: str | None = None, columns: int = 160) -> Any:
    env = {"COLUMNS": str(columns)}
    return CliRunner().invoke(app, [str(argument) for argument in arguments], text, env=env)


def assert_error(result: Any, code: int, *parts: str) -> None:
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, empty. Nothing is listening where downloads come from."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LABELCHAIN_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LABELCHAIN_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    return folder


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a set, toy, that a server gives."""
    folder = tmp_path / "served" / "toy"
    folder.mkdir(parents=True)
    files = []
    for name, text in CONTENT.items():
        (folder / name).write_text(text)
        files.append(DataFile(name, len(text), hashlib.sha256(text.encode()).hexdigest()))
    entry = CatalogueEntry(
        *("toy", "a toy", 20, 2, 1, 2, 1.227, "Nobody, 2024"),
        *("mind the step", "toy", "mulan", "https://example.org/toy/", "free", tuple(files)),
    )
    monkeypatch.setitem(CATALOGUE, "toy", entry)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder.parent)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("LABELCHAIN_MIRROR", f"http://127.0.0.1:{server.server_address[1]}")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def text_files(tmp_path: Path) -> tuple[Path, Path]:
    """Files of the Extreme Classification Repository's format."""
    train, test = tmp_path / "small_train.txt", tmp_path / "small_test.txt"
    train.write_text("20 3 4\n" + "0,1 0:1 2:0.5\n2 1:1\n1,3 2:2\n 0:1\n" * 5)
    test.write_text("2 3 4\n0 0:1\n1,2 1:1 2:1\n")
    return train, test


def test_called_bare_it_lists(data: Path) -> None:
    for arguments in (("datasets",), ("datasets", "list")):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert "4,880" in result.output
        assert "amazoncat-13k" in result.output
        assert str(data) in result.output.replace("\n", "")
    lines = {line.split()[1]: line for line in result.output.splitlines() if "│" in line}
    assert "built in" in lines["digit-scenes"]
    assert "no: get" in lines["bibtex"]
    assert "no: add" in lines["wiki10-31k"]


def test_get_show_verify_rm(data: Path, served: Path) -> None:
    shown = run("datasets", "show", "toy")
    assert shown.exit_code == 0
    assert "20 train, 2 test (published)" in shown.output
    assert "not here. By hand: get toy-train.arff" in shown.output
    got = run("datasets", "get", "toy", columns=40)
    assert got.exit_code == 0, got.output
    for said in ("downloaded toy to", "toy is complete and verified:"):
        assert f"{said} {data}/mulan/toy\n" in got.output
    again = run("datasets", "get", "toy")
    assert again.exit_code == 0
    assert "downloaded" not in again.output
    assert "yes" in next(line for line in run("datasets").output.splitlines() if "│ toy" in line)

    shown = run("datasets", "show", "TOY")
    for part in (
        *("18 train, 2 validation, 2 test", "1, dense, 100.00% not zero", "1.227 labels to a row on average"),
        *("0.6136 of the labels", "most frequent", "y (1", "mind the step", "free", "Nobody, 2024"),
        "https://example.org/toy/",
    ):
        assert part in shown.output, part

    verified = run("datasets", "verify", "toy")
    assert verified.exit_code == 0
    assert verified.output.count(": ok") == 4
    assert run("datasets", "verify").exit_code == 0
    (data / "mulan" / "toy" / "toy-test.arff").write_text(HEADER + "1,1,0\n")
    result = run("datasets", "verify")
    assert result.exit_code == 1
    assert "toy: toy-test.arff: differs" in result.output
    assert "not as it should be: toy; 'labelchain datasets get toy' repairs files\n" in result.stderr
    assert run("datasets", "get", "toy").exit_code == 0
    assert run("datasets", "verify", "toy").exit_code == 0

    kept = run("datasets", "rm", "toy", text="n\n")
    assert (kept.exit_code, "kept" in kept.output) == (0, True)
    assert (data / "mulan" / "toy").is_dir()
    removed = run("datasets", "rm", "toy", text="y\n", columns=40)
    assert removed.exit_code == 0
    assert "removed 3 files of toy" in removed.output
    assert f" in {data}/mulan/toy\n" in removed.output
    assert list(data.rglob("*.arff")) == []
    assert run("datasets", "get", "toy").exit_code == 0
    assert run("datasets", "rm", "toy", "--yes").exit_code == 0
    assert_error(run("datasets", "rm", "toy", "--yes"), 1, "toy is not here")


def test_files_by_hand(data: Path, served: Path) -> None:
    files = sorted(served.iterdir())
    added = run("datasets", "add", "toy", *files, columns=40)
    assert added.exit_code == 0, added.output
    assert added.stdout == f"added toy: {data}/mulan/toy\n"  # in one line: to be copied
    assert run("datasets", "verify", "toy").exit_code == 0
    assert_error(run("datasets", "add", "toy", *files), 1, "toy is here already")


def test_own_files(data: Path, text_files: tuple[Path, Path]) -> None:
    assert run("datasets", "add", "mine", *text_files).exit_code == 0
    assert "mine" in run("datasets").output
    shown = run("datasets", "show", "mine")
    assert "18 train, 2 validation, 2 test" in shown.output
    by_path = run("datasets", "show", text_files[0], "--test", text_files[1])
    assert "18 train, 2 validation, 2 test" in by_path.output
    assert_error(run("datasets", "add", "eurlex-4k", *text_files), 1, "not the published data of eurlex-4k")
    assert_error(
        run("datasets", "get", "mine"), 1, f"mine is a set of your own, in {data}/mine; there is not"
    )
    (data / "mine" / "test.txt").write_text("2 3 4\n0 0:x\n")
    result = run("datasets", "verify", "mine")
    assert result.exit_code == 1
    assert (
        "not as it should be: mine; replace the files of mine, if labelchain added them by" in result.stderr
    )
    assert "datasets get" not in result.stderr


def test_errors(data: Path) -> None:
    assert_error(run("datasets", "get", "bibtx"), 2, "unknown data set 'bibtx'", "bibtex")
    assert_error(run("datasets", "show", "bibtx"), 2, "unknown data set 'bibtx'")
    assert_error(run("datasets", "verify", "bibtx"), 2, "unknown data set 'bibtx'")
    assert_error(run("datasets", "rm", "bibtx"), 2, "unknown data set 'bibtx'")
    assert_error(
        run("datasets", "get", "bibtex"), 1, "cannot reach 127.0.0.1:9", "By hand: get bibtex-train.arff"
    )
    assert_error(run("datasets", "get", "rcv1-2k"), 1, "no address to download from", "datasets add rcv1-2k")
    assert_error(run("datasets", "get", "digit-scenes"), 1, "built in")
    assert_error(run("datasets", "rm", "digit-scenes"), 1, "built in")
    assert_error(run("datasets", "add", "x", data / "none"), 1, "no such file")
    assert list(data.iterdir()) == []
    for arguments in (("get",), ("add", "x"), ("nix",)):
        result = run("datasets", *arguments)
        assert result.exit_code == 2
        assert "Traceback" not in result.output


def test_a_command_downloads_what_is_not_here_and_says_so(data: Path, served: Path, tmp_path: Path) -> None:
    result = run("train", "popularity", "toy", "--out", tmp_path / "run", columns=40)
    assert result.exit_code == 0, result.output
    assert f"run written to {tmp_path}/run\n" in result.output
    assert f"downloaded toy to {data}/mulan/toy\n" in result.output
    assert json.loads((tmp_path / "run" / "config.json").read_text())["dataset"] == "toy"
    assert "downloaded" not in run("evaluate", tmp_path / "run").output


def test_a_command_that_cannot_download_says_how_to_bring_the_files(data: Path, tmp_path: Path) -> None:
    result = run("compare", "yeast", "--out", tmp_path / "out")
    assert_error(result, 1, "cannot reach 127.0.0.1:9", "labelchain datasets add yeast FILES...")
    assert not (tmp_path / "out").exists()


def test_training_and_test_file_by_path(
    tmp_path: Path, text_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "run"
    trained = run(
        *("train", "always-random", "small_train.txt", "--test", "small_test.txt"),
        *("--epochs", 1, "--out", out, "--set", "width=8"),
    )
    assert trained.exit_code == 0, trained.output
    config = json.loads((out / "config.json").read_text())
    assert json.loads(config["dataset"]) == [str(path) for path in text_files]
    monkeypatch.chdir("/")
    result = json.loads((out / "result.json").read_text())["metrics"]
    for arguments in ((), ("--dataset", text_files[0], "--test", text_files[1])):
        evaluated = run("evaluate", out, *arguments)
        assert evaluated.exit_code == 0, evaluated.output
        assert f"{result['f1_example']:.2f}" in evaluated.output
        assert "always-random on small, test" in evaluated.output
    assert_error(run("evaluate", out, "--test", text_files[1]), 2, "--test goes with --dataset")
    assert_error(
        run("evaluate", out, "--dataset", text_files[0]), 1, "expected a test file too: give it by --test"
    )
    text_files[1].unlink()
    assert_error(run("evaluate", out), 1, "no such file or folder", "small_test.txt")


def test_play_takes_a_training_and_a_test_file_as_its_message_says(text_files: tuple[Path, Path]) -> None:
    alone = run("play", "labelchain/Chain-v0", "--dataset", text_files[0])
    assert_error(
        alone, 1, "expected a test file too", """play and environments take both as '["TRAIN", "TEST"]'"""
    )
    played = run("play", "labelchain/Chain-v0", "--dataset", json.dumps([str(path) for path in text_files]))
    assert played.exit_code == 0, played.output


def test_compare_by_path(tmp_path: Path, text_files: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    arguments = ("compare", text_files[0], "--test", text_files[1], "--learners", "popularity", "--out", out)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(json.loads((out / "results.json").read_text())["dataset"])[1] == str(text_files[1])
    assert "small, test split" in result.output
    assert (out / "report.md").read_text().startswith("# Comparison on small\n")
    assert run(*arguments).exit_code == 0
