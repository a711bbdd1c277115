"""Files of a run that can be read, but hold what no run writes: each is refused before it is used."""

import json

import numpy as np
import pytest

from labelchain.agents.runs import Run, RunError, write_json
from labelchain.baselines.classifier_chains import ClassifierChains
from labelchain.baselines.comparison import planned
from labelchain.baselines.prediction_columns import Columns
from labelchain.baselines.predictions import load_predictions, save_predictions
from labelchain.baselines.scores import LinearScores
from labelchain.baselines.tuning import tune
from labelchain.envs.metrics import Predictions

WEIGHTS = np.ones((3, 2), np.float32)
BIAS = np.array([0, -np.inf], np.float32)  # a label that never occurs


def written(path, change, **arrays):
    """An archive with some arrays changed, or left out if they are ``None``."""
    np.savez(path, **{name: array for name, array in (arrays | change).items() if array is not None})
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": WEIGHTS * np.nan}, "weights has values that are not finite"),
        ({"weights": WEIGHTS * np.inf}, "weights has values that are not finite"),
        ({"weights": WEIGHTS.astype(int)}, "weights must be of float32 or float64 and shape"),
        ({"weights": WEIGHTS[:0]}, "weights must be of float32 or float64 and shape"),
        ({"bias": WEIGHTS[0]}, None),
        ({"weights": WEIGHTS.astype(float), "bias": np.ones(2)}, None),
        (
            {"bias": np.ones(3, np.float32)},
            r"bias must be of float32 or float64 and shape \(2\), got float32 and \(3,\)",
        ),
        ({"bias": BIAS * np.float32(np.nan)}, "bias has values that are not finite"),
        ({"threshold": np.float64(np.inf)}, "threshold has values that are not finite"),
        ({"threshold": np.zeros(2)}, "threshold must be of float64"),
        ({"threshold": None}, "it lacks 'threshold'"),
        ({"more": BIAS}, "it has an unknown 'more'"),
    ],
)
def test_scores(tmp_path, change, message):
    path = written(tmp_path / "scores.npz", change, weights=WEIGHTS, bias=BIAS, threshold=np.float64(0))
    if message is None:
        assert LinearScores.load(path).bias.tolist() == [1, 1]
        return
    with pytest.raises(RunError, match=f"is not a labelchain model, or is damaged .*{message}"):
        LinearScores.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"order": np.array([[0, 0]])}, "order must be a permutation"),
        ({"order": np.array([[0, 2]])}, "order must be a permutation"),
        ({"order": np.array([[0, 1]], np.int32)}, "order must be of int64"),
        ({"links": np.zeros((1, 2, 3), np.float32)}, "links must be of float32 and shape"),
        ({"bias": BIAS}, "bias must be of float32 or float64 and shape"),
    ],
)
def test_classifier_chains(tmp_path, change, message):
    arrays = {"weights": WEIGHTS[None], "links": np.zeros((1, 2, 2), np.float32), "bias": BIAS[None]}
    path = written(tmp_path / "scores.npz", change, **arrays, order=np.array([[1, 0]]))
    if message is None:
        assert ClassifierChains.load(path).order.tolist() == [[1, 0]]
        return
    with pytest.raises(RunError, match=f"is not a labelchain model, or is damaged .*{message}"):
        ClassifierChains.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chain/ranking": np.array([[0, 0], [1, 2]])}, "chain/ranking must hold no label twice"),
        (
            {"chain/ranking": np.array([[-1, 0], [1, 2]])},
            "chain/ranking must be padded with -1 at their ends",
        ),
        ({"chain/ranking": np.array([[0, 3], [1, 2]])}, r"chain/ranking must hold labels 0\.\.2 and -1"),
        ({"chain/chains": np.array([[-2], [1]])}, r"chain/chains must hold labels 0\.\.2 and -1"),
        ({"chain/chains": np.ones((2, 1))}, r"chain/chains must be integers \(n, length\), got .* float64"),
        ({"chain/chains": np.ones((3, 1), int)}, r"2 rows of chain/chains, got shape \(3, 1\)"),
        ({"chain/chains": np.ones((2, 0), int)}, r"got shape \(2, 0\)"),
        ({"chain/chains": None}, "chain/chains"),
        ({"other/ranking": np.ones((2, 1), int)}, "unknown array 'other/ranking'"),
        ({"beam/sets": np.ones((2, 1), int)}, "unknown array 'beam/sets'"),
    ],
)
def test_predictions(make_run, change, message):
    run = make_run("popularity")
    ranking, chains = np.array([[0, 1], [2, -1]]), np.array([[1, 2], [-1, -1]])
    save_predictions(run.directory, {"chain": Predictions(ranking, chains)})
    assert load_predictions(run, 2, 3)["chain"].chains.tolist() == chains.tolist()
    arrays = {"chain/ranking": ranking, "chain/chains": chains}
    written(run.directory / "predictions.npz", change, **arrays)
    with pytest.raises(RunError, match=f"does not hold the predictions .*{message}"):
        load_predictions(run, 2, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_features": True}, "num_features must be a whole number"),
        ({"num_features": 10**30}, "num_features must be a whole number"),
        ({"label_names": []}, "label_names must be one or more, all different"),
        ({"label_names": ["a", "a"]}, "label_names must be one or more, all different"),
        ({"label_names": ["a", 3]}, "each of label_names must be text"),
        ({"dataset": None}, "dataset and each"),
        ({"zero_based": "yes"}, "zero_based must be true or false, got 'yes'"),
        ({"zero_based": 2}, "zero_based must be true or false, got 2"),
        ({"zero_based": 1}, "zero_based must be true or false, got 1"),
        ({"feature_names": ["x", "y"]}, "feature_names must be a text for each of num_features"),
        ({"feature_names": ["x", "y", 3]}, "feature_names must be a text for each of num_features"),
        ({"feature_names": "xyz"}, "feature_names must be a text for each of num_features"),
        ({"rows": 3}, "it has an unknown 'rows'"),
    ],
)
def test_columns(tmp_path, change, message):
    content = {"dataset": "set", "num_features": 3, "label_names": ["a", "b"]}
    write_json(tmp_path / "columns.json", content)
    assert Columns.load(tmp_path) == Columns("set", 3, ("a", "b"))
    known = Columns("set", 3, ("a", "b"), False, ("x", "y", "z"))
    known.save(tmp_path)
    assert Columns.load(tmp_path) == known
    write_json(tmp_path / "columns.json", content | change)
    with pytest.raises(RunError, match=rf"columns\.json does not hold the columns of a run .*{message}"):
        Columns.load(tmp_path)


def test_results_with_a_learner_that_is_none(tmp_path, make_run):
    """It would be dropped from the results without a word."""
    settings = make_run("popularity").settings
    learners = {"popularity": {"P@1": {"values": [1.0]}}, "oracle": {"P@1": {"values": [1.0]}}}
    content = {"dataset": "set", "settings": json.loads(json.dumps(vars(settings))), "learners": learners}
    write_json(tmp_path / "results.json", content)
    with pytest.raises(RunError, match=r"is not the result of a comparison .*unknown learner 'oracle'"):
        planned(tmp_path, "set", ["popularity"], 1, settings)


@pytest.mark.parametrize("value", ["NaN", "null", '"40"', "{}"])
def test_the_score_of_a_trial(tmp_path, dataset, make_run, value):
    pytest.importorskip("optuna")
    settings = make_run("order-free", epochs=1).settings
    arguments = ("order-free", dataset, "random", 0, settings, tmp_path, 1, lambda *_: lambda *_: None)
    tune(*arguments)
    (tmp_path / "trial-0" / "validation.json").write_text(f'{{"nDCG@5": {value}}}')
    with pytest.raises(RunError, match=r"validation\.json does not hold validation metrics: nDCG@5 is"):
        tune(*arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": "3"}, "seed must be a whole number"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"settings": {"lear\ning_rate": 1.0}}, r"unknown setting 'lear\\ning_rate'"),
        ({"settings": [1]}, "settings must be an object, got list"),
        ({"settings": {"clip": 10**400}}, "clip must be finite"),
        ({"settings": {"epochs": 10**10}}, "epochs must be from 1 to 2147483647"),
        ({"learner": 3}, "learner and dataset must be text"),
    ],
)
def test_configurations(make_run, change, message):
    run = make_run("popularity")
    write_json(run.directory / "config.json", run.config() | change)
    with pytest.raises(RunError, match=f"is not the configuration of a run of this version: {message}"):
        Run.open(run.directory)
