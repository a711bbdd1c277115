"""Tuning: it finds what is better, goes on where it was stopped, and refuses what has nothing to tune."""

import json

import pytest

from labelchain.agents.runs import Run, RunError, alone_in
from labelchain.agents.settings import Settings
from labelchain.baselines.learners import UnknownLearnerError
from labelchain.baselines.tuning import tune

TINY = Settings(epochs=1, batch_size=16)


def silent(share, note):
    """A progress callback that shows nothing."""


def test_a_search_goes_on_and_is_extended_without_repeating_a_trial(tmp_path, dataset):
    started = []

    def progress(learner, number):
        started.append(number)
        return silent

    first = tune("chain-pg", dataset, "random", 0, TINY, tmp_path, 2, progress)
    assert started == [0, 1]
    assert json.loads((tmp_path / "tuned.json").read_text()) == first
    longer = tune("chain-pg", dataset, "random", 0, TINY, tmp_path, 3, progress)
    assert started == [0, 1, 2]
    assert longer["trials"][:2] == first["trials"]
    assert longer["best"]["score"] == max(each["score"] for each in longer["trials"])
    assert "rl_learning_rate" in longer["best"]["settings"]
    TINY.with_changes(longer["best"]["settings"])
    with pytest.raises(RunError, match="with epochs=1, not 2"):
        tune("chain-pg", dataset, "random", 0, TINY.with_changes({"epochs": 2}), tmp_path, 1, progress)


def test_a_search_does_not_go_on_with_data_that_have_changed(tmp_path, make_dataset):
    arguments = ("random", 0, TINY, tmp_path, 1, lambda *_: silent)
    tune("freq2rare", make_dataset(), *arguments)
    with pytest.raises(RunError, match="trial-0 holds a run on random as it was before its files changed"):
        tune("freq2rare", make_dataset(seed=1), *arguments)
    tune("freq2rare", make_dataset(), *arguments)


def test_what_has_nothing_to_tune_is_refused(tmp_path, dataset):
    for name in ("popularity", "composite", "maskable-ppo"):
        with pytest.raises(UnknownLearnerError, match=f"'{name}' cannot be tuned: expected one of freq2rare"):
            tune(name, dataset, "random", 0, TINY, tmp_path, 1, lambda *_: silent)


def test_settings_that_are_fixed_are_not_searched(tmp_path, dataset):
    settings = TINY.with_changes({"width": 6, "dropout": 0.0})
    arguments = (dataset, "random", 0, settings, tmp_path, 1, lambda *_: silent)
    found = tune("freq2rare", *arguments, fixed=("width", "dropout"))
    assert list(found["best"]["settings"]) == ["input_dropout", "slope", "learning_rate"]
    trained = Run.open(tmp_path / "trial-0").settings
    assert (trained.width, trained.dropout) == (6, 0.0)
    everything = ("width", "dropout", "input_dropout", "slope", "learning_rate")
    with pytest.raises(RunError, match=r"nothing to search: of width, .*, slope, learning_rate, leave one"):
        tune("freq2rare", *arguments, fixed=everything)


def test_a_folder_is_searched_by_one_process_at_a_time(tmp_path, dataset):
    with (
        alone_in(tmp_path),
        pytest.raises(RunError, match=f"another process trains in {tmp_path}; wait for it"),
    ):
        tune("freq2rare", dataset, "random", 0, TINY, tmp_path, 1, lambda *_: silent)
