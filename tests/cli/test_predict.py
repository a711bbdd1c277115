"""``labelchain predict``: lines that agree with the model, in batches, and one clear error each."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from labelchain.agents.decoders import under_decoding
from labelchain.agents.label_scores import label_scores
from labelchain.agents.runs import Run, RunError
from labelchain.baselines import ChainClassifier
from labelchain.baselines.learners import fit, learner_named
from labelchain.baselines.prediction_columns import FILE, Columns
from labelchain.cli.app import app
from labelchain.envs.datasets import load_dataset, write_npz
from labelchain.envs.evaluation import evaluate


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


@pytest.fixture
def npz(tmp_path, dataset):
    write_npz(dataset, tmp_path / "small.npz")
    return tmp_path / "small.npz"


@pytest.fixture
def trained(make_run, npz):
    """Makes finished runs on the small data set."""

    def make(learner, **changes):
        made = make_run(learner, epochs=2, **changes)
        made.dataset = str(npz)
        fit(made, load_dataset(npz), lambda *_: None)
        return made

    return make


def expected(run, dataset):
    """Predictions of all rows, by splits put together again."""
    model = learner_named(run.learner).load(run, dataset)
    ranking, chains = {}, {}
    for split in ("train", "validation", "test"):
        found = evaluate(model, dataset, split).predictions
        for row, order, chain in zip(dataset.rows(split), found.ranking, found.chains, strict=True):
            ranking[int(row)] = [dataset.label_names[i] for i in order if i >= 0]
            chains[int(row)] = [dataset.label_names[i] for i in chain if i >= 0]
    return ranking, chains


@pytest.mark.parametrize("learner", ["composite", "always-random", "tuned-binary-relevance", "maskable-ppo"])
def test_lines_are_what_the_model_predicts(trained, npz, learner, tmp_path, monkeypatch):
    monkeypatch.setattr("labelchain.cli.predict.BATCH", 7)
    made = trained(learner)
    ranking, chains = expected(made, load_dataset(npz))
    done = run("predict", made.directory, npz, "--format", "jsonl")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["row"] for line in lines] == list(range(60))
    for line in lines:
        assert line["ranking"] == ranking[line["row"]]
        assert line["labels"] == chains[line["row"]]
        assert len(line["probabilities"]) == len(line["labels"])
        assert all(0 < share <= 1 for share in line["probabilities"])
    out = tmp_path / "new" / "out.csv"
    assert run("predict", made.directory, npz, "--out", out).exit_code == 0
    table = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["labels"] for row in table] == [";".join(line["labels"]) for line in lines]
    assert [row["rank_2"] for row in table] == [line["ranking"][1] for line in lines]
    assert list(table[0])[:3] == ["row", "labels", "probabilities"]


def test_another_decoding_changes_rankings_only(trained, npz, tmp_path):
    made = trained("always-random")
    lines = {}
    for decoding in ("chain", "sampled-chains"):
        out = tmp_path / f"{decoding}.jsonl"
        assert run("predict", made.directory, npz, "--out", out, "--decoding", decoding).exit_code == 0
        lines[decoding] = [json.loads(line) for line in out.read_text().splitlines()]
    for one, other in zip(*lines.values(), strict=True):
        assert one["labels"] == other["labels"]
        assert sorted(one["ranking"]) == sorted(other["ranking"])
    assert lines["chain"] != lines["sampled-chains"]


@pytest.mark.parametrize("decoding", ["beam", "expected-f1"])
def test_decodings_of_label_sets_leave_rankings_alone(trained, npz, decoding):
    made = trained("always-random")
    data = load_dataset(npz)
    features = data.dense_features(np.arange(60))
    model = learner_named(made.learner).load(made, data)
    chains = under_decoding(model, decoding, made.settings.beam_width).predict(features).chains
    scores = label_scores(model, features, data.num_labels)
    greedy, other = (
        [json.loads(line) for line in run("predict", made.directory, npz, *more).stdout.splitlines()]
        for more in (("--format", "jsonl"), ("--format", "jsonl", "--decoding", decoding))
    )
    assert [line["ranking"] for line in other] == [line["ranking"] for line in greedy]
    assert [line["labels"] for line in other] != [line["labels"] for line in greedy]
    for line, chain, row in zip(other, chains, scores, strict=True):
        held = chain[chain >= 0]
        assert line["labels"] == [data.label_names[label] for label in held]
        assert line["probabilities"] == pytest.approx(row[held], abs=1e-4)


def test_a_file_without_rows_gives_an_empty_table(trained, tmp_path):
    attributes = "".join(f"@attribute x{i} real\n" for i in range(6))
    (tmp_path / "none.arff").write_text(f"@relation none\n{attributes}@data\n")
    predicted = [
        run("predict", trained("popularity").directory, tmp_path / "none.arff", "--format", form)
        for form in ("csv", "jsonl")
    ]
    assert [each.exit_code for each in predicted] == [0, 0]
    heading, jsonl = (each.stdout for each in predicted)
    assert heading.splitlines() == ["row,labels,probabilities,rank_1,rank_2,rank_3,rank_4,rank_5"]
    assert jsonl == ""


def test_a_run_predicts_without_the_data_it_learned_from(trained, npz, tmp_path):
    made = trained("always-random")
    before = run("predict", made.directory, npz).stdout
    rows = npz.rename(tmp_path / "moved.npz")
    assert run("predict", made.directory, rows).stdout == before
    (made.directory / FILE).unlink()  # as in runs of an earlier version
    assert run("predict", made.directory, rows).exit_code == 1
    rows.rename(npz)
    assert run("predict", made.directory, npz).stdout == before


def test_rows_of_libsvm_are_numbered_as_in_training(tmp_path):
    """New rows may name a feature that training did not have, and not the one that shows the numbering."""
    rng = np.random.default_rng(0)

    def write(name, values, first):
        lines = (",".join(str(i) for i in range(3) if row[i] > 0) for row in values)
        pairs = (" ".join(f"{i}:{value:.3f}" for i, value in enumerate(row, first)) for row in values)
        path = tmp_path / name
        path.write_text("".join(f"{labels} {row}\n" for labels, row in zip(lines, pairs, strict=True)))
        return path

    values = rng.normal(size=(40, 8))
    zero, one = tmp_path / "zero", tmp_path / "one"
    for folder, first in ((zero, 0), (one, 1)):
        train, test = write("train.svm", values[:30], first), write("test.svm", values[30:], first)
        assert run("train", "binary-relevance", train, "--test", test, "--out", folder).exit_code == 0
    rows = write("new.svm", rng.normal(size=(5, 7)), 1)  # of a training from 0: all features but the first
    as_said = [run("predict", zero, rows, "--features-from", first).stdout for first in (0, 1)]
    assert as_said[0] != as_said[1]
    assert run("predict", zero, rows).stdout == as_said[0]
    assert run("predict", one, rows).stdout == run("predict", one, rows, "--features-from", 1).stdout
    rows = write("more.svm", rng.normal(size=(5, 8)), 1)
    message = "line 1: feature 8 is out of range: at most 7 is expected, with features numbered from 0"
    assert_error(run("predict", zero, rows), 1, message)
    assert run("predict", zero, rows, "--features-from", 1).exit_code == 0
    content = json.loads((zero / FILE).read_text())
    assert content.pop("zero_based") is True
    (zero / FILE).write_text(json.dumps(content))  # as in runs of an earlier version
    assert run("predict", zero, rows).stdout == run("predict", zero, rows, "--features-from", 1).stdout


def test_attributes_of_arff_may_come_in_another_order(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 5))

    def write(name, rows, order):
        lines = [
            ",".join([*(f"{row[i] > 0:d}" for i in range(3)), *(f"{row[i]:.3f}" for i in order)])
            for row in rows
        ]
        header = [
            *(f"@attribute {label} {{0,1}}" for label in "abc"),
            *(f"@attribute x{i} real" for i in order),
        ]
        (tmp_path / name).write_text("\n".join(["@relation 'r: -C 3'", *header, "@data", *lines]))
        return tmp_path / name

    train, test = write("train.arff", values[:30], range(5)), write("test.arff", values[30:], range(5))
    made = tmp_path / "run"
    assert run("train", "binary-relevance", train, "--test", test, "--out", made).exit_code == 0
    before, turned = run("predict", made, test).stdout, write("new.arff", values[30:], [4, 3, 0, 1, 2])
    assert run("predict", made, turned).stdout == before
    other = write("other.arff", np.hstack([values, values])[30:], [0, 1, 2, 3, 7])
    assert_error(run("predict", made, other), 1, "it lacks 'x4' and has the unknown 'x7'")
    content = json.loads((made / FILE).read_text())
    assert content.pop("feature_names") == [f"x{i}" for i in range(5)]
    (made / FILE).write_text(
        json.dumps(content)
    )  # as in runs of an earlier version: they come as in training
    assert run("predict", made, test).stdout == before
    assert run("predict", made, other).exit_code == 0


def test_numbers_of_features_are_no_names(make_dataset):
    """Those of a data frame without names of columns."""
    for names, kept in ((None, None), (tuple("012345"), None), (tuple("012354"), tuple("012354"))):
        assert Columns.of(replace(make_dataset(), feature_names=names)).feature_names == kept


def test_a_classifier_in_memory_keeps_a_run_that_predicts(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    tags = [["warm"] if row[0] > 0 else ["cold", "wet"] for row in X]
    model = ChainClassifier("always-random", settings={"epochs": 2}, random_state=0, run_dir=tmp_path / "run")
    chains = model.fit(X, tags).predict_chain(X)
    lines = ["40 3 3", *(" " + " ".join(f"{i}:{value:.9g}" for i, value in enumerate(row)) for row in X)]
    (tmp_path / "x.txt").write_text("\n".join(lines))
    done = run("predict", tmp_path / "run", tmp_path / "x.txt", "--format", "jsonl")
    assert [json.loads(line)["labels"] for line in done.stdout.splitlines()] == [
        [label for label, _ in chain] for chain in chains
    ]


def assert_error(result, code, *parts):
    assert result.exit_code == code, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert result.stdout == ""
    for part in parts:
        assert part in line


def test_wrong_use_is_one_clear_error(trained, npz, tmp_path, make_dataset):
    made, classical = trained("always-random"), trained("popularity")
    other = tmp_path / "other.npz"
    write_npz(make_dataset(num_features=4), other)
    assert_error(run("predict", made.directory, other), 1, "has 4 features, but the model was trained on 6")
    out = tmp_path / "out.csv"
    assert_error(run("predict", made.directory, other, "--out", out), 1, "has 4 features")
    assert not out.exists()
    assert not list(tmp_path.glob(".out*"))
    assert_error(run("predict", made.directory, npz, "--format", "xml"), 2, "'xml'", "csv, jsonl")
    assert_error(run("predict", made.directory, npz, "--decoding", "best"), 2, "unknown decoding 'best'")
    assert_error(
        run("predict", classical.directory, npz, "--decoding", "first-step"), 2, "popularity has no chains"
    )
    assert_error(run("predict", tmp_path, npz), 1, "config.json does not exist")
    Columns("x", 6, ("a;b", *"cdef")).save(made.directory)
    assert_error(run("predict", made.directory, npz), 2, "'a;b'", "take jsonl")
    assert run("predict", made.directory, npz, "--format", "jsonl").exit_code == 0
    (made.directory / FILE).write_text('{"dataset": "x", "num_features": "6"}')
    assert_error(run("predict", made.directory, npz), 1, "does not hold the columns of a run")
    unfinished = Run(tmp_path / "begun", "always-random", str(npz), 0, made.settings)
    unfinished.create()
    assert_error(run("predict", unfinished.directory, npz), 1, "model.pt does not exist")


def test_an_output_that_is_no_file_is_refused_before_any_work(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    missing = tmp_path / "none"  # that it is not there would be found next
    for command in (
        ("predict", missing, missing, "--out"),
        ("explain", missing, "--index", 0, "--png"),
        ("explain", missing, "--index", 0, "--html"),
        ("play", "labelchain/DigitScenes-v0", "--policy", missing, "--gif"),
    ):
        for output, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe or a device")):
            expected = f"expected the path of a file to write, got {what}: {output}"
            assert_error(run(*command, output), 1, expected)
    assert (tmp_path / "pipe").is_fifo()


def test_columns_must_be_whole(tmp_path):
    for content in ("[]", '{"dataset": "x", "num_features": 0, "label_names": ["a"]}', "{"):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(RunError, match=FILE):
            Columns.load(tmp_path)


def test_a_reader_may_stop_reading(trained, npz):
    made = trained("popularity")
    command = f"{sys.executable} -m labelchain.cli predict {made.directory} {npz} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("row,labels")
    assert "Traceback" not in done.stderr
    assert "rror" not in done.stderr
