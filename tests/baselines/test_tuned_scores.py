"""Logistic regressions chosen on validation rows, against scikit-learn chosen by hand."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, ndcg_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from labelchain.agents.runs import RunError
from labelchain.baselines.scores import LinearScores
from labelchain.baselines.tuned_scores import STRENGTHS, THRESHOLDS, TunedScores, train_tuned_binary_relevance
from labelchain.envs import MultilabelDataset, evaluate


def silent(share, note):
    """A progress callback that shows nothing."""


def rows_of(data, split, scaler):
    rows = data.rows(split)
    return scaler.transform(data.dense_features(rows)), data.dense_labels(rows).astype(int)


@pytest.mark.parametrize(("sparse", "seed"), [(False, 0), (False, 1), (True, 2)])
def test_it_is_the_best_of_scikit_learns_on_the_validation_rows(make_run, make_dataset, sparse, seed):
    data, run = make_dataset(300, sparse=sparse, seed=seed), make_run("tuned-binary-relevance")
    train_tuned_binary_relevance(run, data, silent)
    found = TunedScores.load(run.directory / "scores.npz")

    scaler = StandardScaler(with_mean=not sparse, with_std=not sparse)
    scaler.fit(data.dense_features(data.rows("train")))
    seen, truth = rows_of(data, "validation", scaler)
    best = {"nDCG@5": 0.0, "f1_example": 0.0}
    for strength in STRENGTHS:
        reference = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=1000))
        sure = reference.fit(*rows_of(data, "train", scaler)).predict_proba(seen)
        filled = truth.any(axis=1)  # scikit-learn counts a row without labels as 0, too, but warns
        ranked = 100 * ndcg_score(truth[filled], sure[filled], k=5) * filled.mean()
        sets = [f1_score(truth, sure > t, average="samples", zero_division=1) for t in THRESHOLDS]
        best = {
            "nDCG@5": max(best["nDCG@5"], ranked),
            "f1_example": max(best["f1_example"], 100 * max(sets)),
        }
    metrics = evaluate(found, data, "validation").metrics
    assert {name: metrics[name] for name in best} == pytest.approx(best, abs=0.5)  # solvers stop early


def test_ranks_and_label_sets_may_be_of_different_models(tmp_path, make_dataset):
    data, rng = make_dataset(), np.random.default_rng(0)
    one, other = (
        LinearScores(rng.normal(size=(6, 5)), rng.normal(size=5), threshold) for threshold in (0.0, 0.4)
    )
    TunedScores(one, other).save(tmp_path / "scores.npz")
    found, features = TunedScores.load(tmp_path / "scores.npz"), data.dense_features(data.rows("test"))
    np.testing.assert_array_equal(found.predict(features).ranking, one.predict(features).ranking)
    np.testing.assert_array_equal(found.predict(features).chains, other.predict(features).chains)
    predicted = np.zeros((len(features), 5), dtype=bool)
    for row, chain in enumerate(found.predict(features).chains):
        predicted[row, chain[chain >= 0]] = True
    np.testing.assert_array_equal(found.label_scores(features) > 0.5, predicted)


def test_labels_that_are_rare_are_found_by_a_lower_threshold(make_run):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(900, 2)).astype(np.float32)
    labels = (rng.random((900, 2)) < 0.35 / (1 + np.exp(-features))).astype(
        int
    )  # never more probable than not
    data = MultilabelDataset.from_arrays(
        "rare", features, labels, train_rows=range(600), test_rows=range(600, 900)
    )
    run = make_run("tuned-binary-relevance")
    train_tuned_binary_relevance(run, data, silent)
    assert TunedScores.load(run.directory / "scores.npz").label_set.threshold < logit(0.5)


def test_damaged_models_are_refused(tmp_path):
    path = tmp_path / "scores.npz"
    sound = {
        "ranking_weights": np.zeros((3, 2)),
        "ranking_bias": np.zeros(2),
        "weights": np.zeros((3, 2)),
        "bias": np.zeros(2),
        "threshold": np.float64(0),
    }
    for name, value in (
        ("weights", np.zeros((2, 2))),
        ("ranking_bias", np.zeros(3)),
        ("bias", np.full(2, np.nan)),
        ("threshold", np.float64(np.inf)),
    ):
        np.savez(path, **{**sound, name: value})
        with pytest.raises(RunError, match=r"scores\.npz is not a labelchain model"):
            TunedScores.load(path)
    np.savez(path, **{name: value for name, value in sound.items() if name != "bias"})
    with pytest.raises(RunError, match="is not a labelchain model"):
        TunedScores.load(path)
