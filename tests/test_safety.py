"""Files that carry a program: each is refused, and the program does not run."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from labelchain.agents.checkpoints import FORMAT
from labelchain.agents.runs import Run, RunError
from labelchain.agents.settings import Settings
from labelchain.baselines.comparison import compare
from labelchain.baselines.learners import fit, learner_named
from labelchain.baselines.predictions import load_predictions
from labelchain.envs.datasets import DatasetError, load_dataset

TINY = Settings(width=8, epochs=2, batch_size=16)


def silent(*_):
    """A progress callback that shows nothing."""


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    """What the payload would make; the test fails if it did."""
    path = tmp_path / "the program ran"
    pickle.loads(pickle.dumps(Payload(path)))
    assert path.exists()  # it does what it should when it is unpickled
    path.unlink()
    yield path
    assert not path.exists()


def as_checkpoint(path, payload):
    torch.save({"format": FORMAT, "ranking": [payload], "label_set": [payload], "epoch": payload}, path)


def as_old_checkpoint(path, payload):
    torch.save({"format": FORMAT, "epoch": payload}, path, _use_new_zipfile_serialization=False)


def as_pickle(path, payload):
    path.write_bytes(pickle.dumps({"format": FORMAT, "metrics": payload}))


def as_array(path, payload):
    np.save(path.with_suffix(".npy"), np.array([payload, payload], dtype=object), allow_pickle=True)
    path.with_suffix(".npy").rename(path)


def as_archive(path, payload):
    held = dict(np.load(path)) if path.exists() else {}
    objects = np.array([payload, payload], dtype=object)
    np.savez(path, **dict.fromkeys(held, objects), extra=objects)


@pytest.mark.parametrize("write", [as_checkpoint, as_old_checkpoint, as_pickle])
def test_a_trained_model(make_run, dataset, mark, write):
    run = make_run("always-random", epochs=1)
    fit(run, dataset, silent)
    write(run.directory / "model.pt", Payload(mark))
    with pytest.raises(RunError, match=r"model\.pt is not a labelchain checkpoint"):
        learner_named(run.learner).load(run, dataset)


@pytest.mark.parametrize("write", [as_checkpoint, as_old_checkpoint, as_pickle])
def test_a_model_in_training(make_run, dataset, mark, write):
    run = make_run("always-random", epochs=1)
    run.create()
    write(run.directory / "last.pt", Payload(mark))
    with pytest.raises(RunError, match=r"last\.pt is not a labelchain checkpoint"):
        fit(run, dataset, silent)


@pytest.mark.parametrize("learner", ["binary-relevance", "tuned-binary-relevance", "classifier-chain"])
@pytest.mark.parametrize("write", [as_archive, as_array, as_pickle])
def test_a_classical_model(make_run, dataset, mark, learner, write):
    run = make_run(learner)
    fit(run, dataset, silent)
    write(run.directory / "scores.npz", Payload(mark))
    with pytest.raises(RunError, match=r"scores\.npz is not a labelchain model"):
        learner_named(learner).load(run, dataset)


@pytest.mark.parametrize("write", [as_archive, as_array, as_pickle])
def test_predictions(make_run, dataset, mark, write):
    run = make_run("popularity")
    fit(run, dataset, silent)
    write(run.directory / "predictions.npz", Payload(mark))
    with pytest.raises(RunError, match=r"predictions\.npz does not hold the predictions"):
        load_predictions(run, len(dataset.rows("test")), dataset.num_labels)


@pytest.mark.parametrize("name", ["config.json", "result.json"])
def test_the_records_of_a_run(make_run, dataset, mark, name):
    run = make_run("popularity")
    fit(run, dataset, silent)
    as_pickle(run.directory / name, Payload(mark))
    with pytest.raises(RunError, match="cannot be read as JSON"):
        fit(run, dataset, silent)
    assert Run(run.directory, "popularity", "random", 0, TINY).directory.exists()


def test_the_results_of_a_comparison(tmp_path, dataset, mark):
    as_pickle(tmp_path / "results.json", Payload(mark))
    with pytest.raises(RunError, match="cannot be read as JSON"):
        compare(dataset, "random", ["popularity"], 1, TINY, tmp_path, lambda *_: silent)


@pytest.mark.parametrize("write", [as_archive, as_array, as_pickle])
@pytest.mark.parametrize("name", ["set.npz", "set.arff", "set.txt", "train.svm"])
def test_data(tmp_path, dataset, mark, write, name):
    from labelchain.envs.datasets import write_npz

    path = tmp_path / "data" / name
    path.parent.mkdir()
    write_npz(dataset, path.with_suffix(".npz"))
    made = path.with_suffix(".npz")
    write(made, Payload(mark))
    if made != path:
        made.rename(path)
    with pytest.raises(DatasetError, match=r"(set|train)\."):
        load_dataset(path)
