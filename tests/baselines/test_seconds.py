"""How long runs took: all stretches of one that was stopped, and those of parts."""

import pytest

from labelchain.agents.checkpoints import load_tensors, save_tensors
from labelchain.agents.settings import Settings
from labelchain.baselines import learners
from labelchain.baselines.comparison import timings
from labelchain.baselines.learners import fit
from labelchain.baselines.workers import Job

TINY = Settings(width=8, epochs=2, batch_size=16)
LONG = 1000.0
"""Seconds that an earlier stretch is made to have taken; all else is over long before."""


def silent(share, note):
    """A progress callback that shows nothing."""


def stop(*_args):
    raise KeyboardInterrupt


def stopped_after_long(run, dataset):
    """Train one epoch."""
    with pytest.raises(KeyboardInterrupt):
        fit(run, dataset, stop)
    last = run.directory / "last.pt"
    save_tensors(last, load_tensors(last) | {"seconds": LONG})


def test_all_stretches_of_a_run_count(make_run, dataset):
    run = make_run("always-random", epochs=3)
    stopped_after_long(run, dataset)
    with pytest.raises(KeyboardInterrupt):
        fit(run, dataset, stop)
    assert load_tensors(run.directory / "last.pt")["seconds"] > LONG
    fit(run, dataset, silent)
    assert LONG < run.seconds() < 2 * LONG


def test_a_training_counts_that_was_stopped_before_its_evaluation_ended(make_run, dataset, monkeypatch):
    run = make_run("always-random", epochs=2)
    stopped_after_long(run, dataset)
    with monkeypatch.context() as patch:
        patch.setattr(learners, "decoded", stop)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                fit(run, dataset, silent)
            assert not (run.directory / "last.pt").exists()
    fit(run, dataset, silent)
    assert LONG < run.seconds() < 2 * LONG
    assert not (run.directory / "trained.json").exists()


def test_parts_of_ones_own_count_and_those_of_others_are_added_by_the_comparison(tmp_path, dataset):
    job = Job(dataset, "random", TINY, tmp_path)
    for part in ("target-reordering", "chain-pg"):
        run = job.run((part, 0))
        run.finish(fit(run, dataset, silent), LONG)
    whole = job.run(("composite", 0))
    fit(whole, dataset, silent, tmp_path)
    assert 0 < whole.seconds() < LONG
    assert 2 * LONG < timings(job, {"composite": 1})["composite"][0] < 3 * LONG

    alone = Job(dataset, "random", TINY, tmp_path / "alone").run(("composite", 0))
    with pytest.raises(KeyboardInterrupt):  # in the second part
        fit(alone, dataset, lambda share, _: stop() if share > 0.5 else None)
    (first,) = alone.directory.glob("parts/*/*/result.json")
    part = Job(dataset, "random", TINY, alone.directory / "parts").run((first.parts[-3], 0))
    part.finish(part.result, LONG)
    fit(alone, dataset, silent)
    assert LONG < alone.seconds() < 2 * LONG
