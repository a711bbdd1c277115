"""The comparison on disk: what it trains, what it keeps, what its results hold; and that runs repeat."""

import json
import statistics

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from labelchain.agents.runs import Run, RunError
from labelchain.agents.settings import Settings
from labelchain.baselines import learners as learners_module
from labelchain.baselines.comparison import COMPARED, compare
from labelchain.baselines.learners import (
    LEARNERS,
    UnknownLearnerError,
    fit,
    learner_named,
    run_directory,
)
from labelchain.envs.files import held
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS

METRICS = (*RANKING_METRICS, *LABEL_SET_METRICS)
TINY = Settings(width=8, epochs=1, batch_size=16)


def silent(share, note):
    """A progress callback that shows nothing."""


@pytest.fixture
def comparison(tmp_path, dataset):
    """Compares into one folder; remembers which cells reported that they were at work."""

    class Comparison:
        folder = tmp_path / "comparison"
        worked = None

        def __call__(self, *names, seeds=2, settings=TINY):
            self.worked = []

            def progress(learner, seed):
                return lambda _share, _note: self.worked.append((learner, seed))

            return compare(dataset, "random", names, seeds, settings, self.folder, progress)

    return Comparison()


def test_results_hold_every_value_and_its_mean(comparison):
    results = comparison("popularity", "freq2rare", "composite")
    assert json.loads((comparison.folder / "results.json").read_text()) == results
    assert set(results) == {
        "dataset",
        "name",
        "decoding",
        "learners",
        "decodings",
        "gains",
        "decisions",
        "seeds",
        "settings",
    }
    assert (results["dataset"], results["decoding"], results["seeds"]) == ("random", "chain", 2)
    assert results["settings"]["width"] == 8
    seconds = json.loads((comparison.folder / "timings.json").read_text())["seconds"]
    assert list(results["learners"]) == list(seconds) == ["popularity", "freq2rare", "composite"]
    for learner, entry in results["learners"].items():
        assert set(entry) == set(METRICS)
        for metric, figures in entry.items():
            runs = [Run.open(comparison.folder / learner / f"seed-{seed}").result for seed in range(2)]
            assert figures["values"] == [run[metric] for run in runs]
            assert figures["mean"] == pytest.approx(statistics.fmean(figures["values"]))
    for metric, gain in results["gains"]["composite"]["best order"].items():
        assert gain["opponent"] == "freq2rare"
        assert gain["opponent_value"] == results["learners"]["freq2rare"][metric]["mean"]
        assert (gain["interval"] is None) == (metric in ("f1_micro", "f1_macro", "f1_macro_present"))


def test_what_is_finished_is_kept_and_what_is_new_is_trained(comparison):
    first = comparison("freq2rare", "target-reordering", seeds=1)
    assert set(comparison.worked) == {("freq2rare", 0), ("target-reordering", 0)}
    again = comparison("freq2rare", "target-reordering", seeds=1)
    assert comparison.worked == []
    assert again == first
    wider = comparison("freq2rare", "target-reordering", "chain-pg", "composite", seeds=1)
    assert set(comparison.worked) == {("chain-pg", 0)}  # the composite has its parts
    assert {name: wider["learners"][name] for name in first["learners"]} == first["learners"]
    fewer = comparison("popularity", seeds=1)
    assert set(comparison.worked) == {("popularity", 0)}
    assert {name: fewer["learners"][name] for name in wider["learners"]} == wider["learners"]
    assert fewer["gains"] == wider["gains"]
    deeper = comparison("freq2rare", seeds=2)
    assert set(comparison.worked) == {("freq2rare", 1)}
    assert len(deeper["learners"]["chain-pg"]["P@1"]["values"]) == 1
    assert deeper["seeds"] == 2
    assert (
        deeper["learners"]["freq2rare"]["P@1"]["values"][0] == first["learners"]["freq2rare"]["P@1"]["mean"]
    )


def test_a_composite_alone_leaves_its_parts_where_the_comparison_looks_for_them(comparison):
    alone = comparison("composite", seeds=1)
    assert sorted(path.name for path in comparison.folder.iterdir()) == [
        "chain-pg",
        "composite",
        "results.csv",
        "results.json",
        "target-reordering",
        "timings.json",
    ]
    assert alone["gains"] == {}
    comparison("chain-pg", "target-reordering", "composite", seeds=1)
    assert comparison.worked == []


def test_a_comparison_of_other_settings_or_unknown_learners_is_refused_before_it_trains(comparison):
    comparison("popularity", seeds=1)
    before = (comparison.folder / "results.json").read_bytes()
    with pytest.raises(RunError, match="with width=8, not 9"):
        comparison("popularity", seeds=1, settings=TINY.with_changes({"width": 9}))
    with pytest.raises(UnknownLearnerError, match="unknown learner 'nothing': expected one of"):
        comparison("freq2rare", "nothing", seeds=1)
    assert comparison.worked == []
    assert not (comparison.folder / "freq2rare").exists()
    assert (comparison.folder / "results.json").read_bytes() == before


def test_a_setting_that_an_earlier_version_did_not_have_is_what_was_done_then(comparison):
    learned = TINY.with_changes({"stop": "learned"})
    comparison("popularity", seeds=1, settings=learned)
    path = comparison.folder / "results.json"
    results = json.loads(path.read_text())
    del results["settings"]["stop"]
    path.write_text(json.dumps(results))
    with pytest.raises(RunError, match="with stop='learned', not 'validated'"):
        comparison("popularity", seeds=1)
    assert comparison("popularity", seeds=1, settings=learned)["settings"]["stop"] == "learned"


@pytest.mark.parametrize(
    "damage", [{"learners": {"popularity": {"P@1": {"values": "ab"}}}}, {"learners": []}]
)
def test_results_that_are_none_are_refused(comparison, damage):
    comparison("popularity", seeds=1)
    path = comparison.folder / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(RunError, match=r"results\.json is not the result of a comparison"):
        comparison("popularity", seeds=1)


def test_a_decoding_that_some_runs_were_finished_without_is_left_out(comparison):
    comparison("order-free")
    path = comparison.folder / "order-free" / "seed-1" / "predictions.npz"
    arrays = dict(np.load(path))
    del arrays["expected-f1/chains"]
    np.savez(path, **arrays)
    results = comparison("order-free")
    assert comparison.worked == []
    # Nor is a beam: it was one over chains then.
    assert list(results["decodings"]["order-free"]) == ["chain", "first-step", "sampled-chains"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [(5, r"0\.\.4 and -1, got 0\.\.5"), (-2, r"0\.\.4 and -1, got -2"), (0.5, "integers")],
)
def test_predictions_of_other_labels_are_refused(comparison, dataset, wrong, message):
    """A label out of range would count as one of the next row."""
    comparison("popularity", seeds=1)
    run = Run.open(comparison.folder / "popularity" / "seed-0")
    path = run.directory / "predictions.npz"
    arrays = dict(np.load(path))
    ranking = arrays["chain/ranking"].astype(np.float64 if wrong == 0.5 else np.int32)
    ranking[3, 1] = wrong
    np.savez(path, **arrays | {"chain/ranking": ranking})
    with pytest.raises(RunError, match=rf"predictions\.npz does not hold.*{message}"):
        comparison("popularity", seeds=1)


def test_finished_runs_of_other_settings_or_data_are_refused(comparison, dataset, make_dataset):
    """Of a comparison that was stopped before it had results: they would be mixed with new ones."""
    comparison("popularity", "rare2freq", seeds=1)
    (comparison.folder / "results.json").unlink()
    with pytest.raises(RunError, match="with width=8, not 9"):
        comparison("popularity", seeds=1, settings=TINY.with_changes({"width": 9}))
    changed = make_dataset(seed=1)
    assert (changed.name, changed.features.shape) == (dataset.name, dataset.features.shape)
    with pytest.raises(RunError, match="holds a run on random as it was before its files changed"):
        compare(changed, "random", ["popularity"], 1, TINY, comparison.folder, lambda *_: silent)
    comparison("popularity", seeds=1)


def test_an_interrupted_comparison_goes_on(comparison, dataset, monkeypatch):
    names = ("popularity", "rare2freq", "fixed-random")

    def interrupt(learner, seed):
        def progress(share, note):
            if learner == "rare2freq":
                raise KeyboardInterrupt

        return progress

    with pytest.raises(KeyboardInterrupt):
        compare(dataset, "random", names, 1, TINY, comparison.folder, interrupt)
    assert not (comparison.folder / "results.json").exists()
    results = comparison(*names, seeds=1)
    assert "popularity" not in {learner for learner, _ in comparison.worked}
    assert list(results["learners"]) == list(names)


@pytest.mark.parametrize(
    "learner", ["popularity", "binary-relevance", "tuned-binary-relevance", "fixed-random", "composite"]
)
def test_a_run_stopped_in_its_last_evaluation_logs_no_step_twice(make_run, dataset, monkeypatch, learner):
    run = make_run(learner, epochs=1)
    for part, _ in LEARNERS[learner].parts:
        directory = run_directory(run.directory / "parts", part, run.seed)
        fit(Run(directory, part, run.dataset, run.seed, run.settings), dataset, silent)

    def interrupt(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(learners_module, "decoded", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(run, dataset, silent)
    fit(run, dataset, silent)
    events = EventAccumulator(str(run.directory))
    events.Reload()
    for metric in METRICS:
        for kind in ("eval", "test"):
            assert len(events.Scalars(f"{kind}/{metric}")) == 1
        assert events.Scalars(f"test/{metric}")[0].value == pytest.approx(run.result[metric], rel=1e-5)
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(events.summary_metadata)


@pytest.mark.parametrize("learner", [name for name in COMPARED if name != "maskable-ppo"])
def test_the_same_seed_has_the_same_metrics(make_run, dataset, learner):
    runs = [make_run(learner, epochs=2) for _ in range(2)]
    one, other = (fit(run, dataset, silent) for run in runs)
    assert one == other
    assert one == runs[0].result


def test_another_seed_is_another_run(make_run, make_dataset):
    data = make_dataset(num_rows=240)
    for learner in ("always-random", "chain-pg"):
        one, other = (fit(make_run(learner, seed=seed), data, silent) for seed in (0, 1))
        assert one != other


def test_a_finished_run_is_not_even_loaded(make_run, dataset):
    run = make_run("always-random", epochs=1)
    result = fit(run, dataset, silent)
    (run.directory / "model.pt").unlink()
    assert fit(run, dataset, silent) == result


def test_every_learner_says_what_it_is():
    for name, learner in LEARNERS.items():
        assert learner_named(name) is learner
        assert learner.summary
        assert (learner.train is None) == bool(learner.parts)
        assert all(not LEARNERS[part.learner].parts for part in learner.parts)


def test_a_run_is_not_trained_by_two_processes_at_once(make_run, dataset):
    run = make_run("popularity")
    run.create(dataset)
    with held(run.directory), pytest.raises(RunError, match=r"another process trains in .*popularity"):
        fit(run, dataset, silent)
    assert run.result is None
    assert fit(run, dataset, silent) == run.result


def test_a_folder_is_compared_in_by_one_process_at_a_time(comparison):
    comparison.folder.mkdir()
    with held(comparison.folder), pytest.raises(RunError, match=r"another process trains in .*comparison"):
        comparison("popularity", seeds=1)
    assert not [*comparison.folder.iterdir()]
    comparison("popularity", seeds=1)
