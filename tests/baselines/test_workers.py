"""Cells in processes: the results of one after the other, whatever stops them; errors that name a cell."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from labelchain.agents.runs import RunError
from labelchain.agents.settings import Settings
from labelchain.baselines import workers
from labelchain.baselines.comparison import compare

TINY = Settings(width=8, epochs=2, batch_size=16)
NAMES = ["always-random", "chain-pg", "target-reordering", "composite"]

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import torch
from labelchain.agents.settings import Settings
from labelchain.baselines.comparison import compare
from labelchain.envs import MultilabelDataset

if __name__ == "__main__":
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(90, 6)).astype(np.float32)
    data = MultilabelDataset.from_arrays(
        "random", features, (features > 0.5).astype(int), train_rows=range(60), test_rows=range(60, 90)
    )
    names = "target-reordering,chain-pg,composite".split(",")
    settings = Settings(width=8, epochs=6, batch_size=8)
    folder, jobs = Path(sys.argv[1]), int(sys.argv[2])
    print("begun", flush=True)
    compare(data, "random", names, 1, settings, folder, lambda *_: lambda *_: None, jobs)
"""


def silent(share, note):
    """A progress callback that shows nothing."""


def test_several_at_a_time_have_the_results_of_one_after_the_other(tmp_path, dataset):
    started, told = [], []

    def progress(learner, seed):
        started.append((learner, seed))
        return lambda share, _: told.append(share)

    one = compare(dataset, "random", NAMES, 1, TINY, tmp_path / "one", lambda *_: silent)
    two = compare(dataset, "random", NAMES, 1, TINY, tmp_path / "two", progress, jobs=2)
    assert one == two
    assert (tmp_path / "one" / "results.json").read_bytes() == (
        tmp_path / "two" / "results.json"
    ).read_bytes()
    assert sorted(started) == sorted((name, 0) for name in NAMES)
    assert told.count(1.0) >= 3
    again = compare(dataset, "random", NAMES, 1, TINY, tmp_path / "two", progress, jobs=2)
    assert len(started) == len(NAMES)  # nothing was left to do
    assert again == two


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_names_the_cell_and_leaves_what_is_finished(tmp_path, dataset, jobs):
    (tmp_path / "freq2rare" / "seed-1").mkdir(parents=True)
    (tmp_path / "freq2rare" / "seed-1" / "last.pt").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"^freq2rare, seed 1: .*last\.pt is not a labelchain checkpoint"):
        compare(dataset, "random", ["popularity", "freq2rare"], 2, TINY, tmp_path, lambda *_: silent, jobs)
    assert not (tmp_path / "results.json").exists()
    assert (tmp_path / "popularity" / "seed-0" / "result.json").exists()


def test_an_error_of_the_system_is_told_in_one_line(tmp_path, dataset, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "model.pt")

    monkeypatch.setattr(workers, "fit", full)
    job = workers.Job(dataset, "random", TINY, tmp_path)
    message = "freq2rare, seed 1: [Errno 28] No space left on device: 'model.pt'"
    assert job.outcome(("freq2rare", 1), silent) == ("refused", message)


def test_a_worker_that_is_killed_is_named_by_its_cell(tmp_path, dataset):
    def progress(learner, seed):
        def kill(share, note):
            for worker in multiprocessing.active_children():
                worker.kill()

        return kill

    with pytest.raises(
        RunError, match=r"seed 0: its process was ended from outside \(exit code -9\).*--jobs"
    ):
        compare(dataset, "random", ["freq2rare", "rare2freq"], 1, TINY, tmp_path, progress, jobs=2)
    assert not multiprocessing.active_children()


def test_a_worker_that_is_killed_while_it_waits_is_replaced(tmp_path, dataset):
    job, cell = workers.Job(dataset, "random", TINY, tmp_path), ("popularity", 0)
    worker = workers._Worker(job)
    try:
        worker.process.kill()
        worker.process.join()
        workers._dispatch([worker], [cell], lambda *_: silent)
    finally:
        worker.stop()
    assert job.run(cell).result is not None
    assert not multiprocessing.active_children()


def test_a_worker_that_cannot_begin_is_named_by_its_cell(tmp_path, dataset):
    worker = workers._Worker(workers.Job(dataset, "random", TINY, tmp_path))
    begin = worker._begin

    def begin_and_end():
        begin()
        worker.process.kill()
        worker.process.join()

    worker._begin = begin_and_end
    worker.process.kill()
    worker.process.join()
    with pytest.raises(RunError, match=r"^freq2rare, seed 1: its process was ended .*exit code -9"):
        worker.start(("freq2rare", 1), silent)
    worker.stop()


@pytest.mark.faults
def test_however_often_it_is_stopped_the_results_are_those_of_an_undisturbed_run(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    for jobs, ending, after in (
        (2, "interrupt", 0.3),
        (2, "interrupt", 3.0),
        (2, "kill", 3.5),
    ):
        _stop([sys.executable, script, disturbed, str(jobs)], ending, after, tmp_path / "errors")
        if ending == "interrupt":  # of this process alone: workers end without a word, importing or not
            assert (tmp_path / "errors").read_text().count("Traceback") <= 1
    for folder, jobs in ((disturbed, "2"), (undisturbed, "1")):
        subprocess.run([sys.executable, script, folder, jobs], check=True, timeout=300)
    expected = (undisturbed / "results.json").read_bytes()
    assert (disturbed / "results.json").read_bytes() == expected
    seconds = json.loads((disturbed / "timings.json").read_text())["seconds"]
    assert seconds.keys() == json.loads(expected)["learners"].keys()


def _stop(command, ending, after, errors):
    """Start a comparison, stop it some seconds later, and see that its workers end with it."""
    with errors.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, start_new_session=True)
    process.stdout.readline()  # begun
    time.sleep(after)
    if ending == "kill":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: everyone in the group
    process.wait(timeout=60)
    process.stdout.close()
    deadline = time.monotonic() + 60  # a worker that still imports ends when it has
    while _group_is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_is_alive(process.pid)


def _group_is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
