"""Classical baselines, against scikit-learn where it has them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from labelchain.agents.runs import RunError
from labelchain.baselines.scores import LinearScores, train_binary_relevance, train_popularity
from labelchain.envs import MultilabelDataset


def silent(share, note):
    """A progress callback that shows nothing."""


@pytest.mark.parametrize("sparse", [False, True])
def test_binary_relevance_is_one_vs_rest_of_scikit_learn(make_run, make_dataset, sparse):
    data, run = make_dataset(num_rows=150, sparse=sparse), make_run("binary-relevance")
    train_binary_relevance(run, data, silent)
    model = LinearScores.load(run.directory / "scores.npz")
    train, test = data.dense_features(data.rows("train")), data.dense_features(data.rows("test"))
    scaler = StandardScaler(with_mean=not sparse, with_std=not sparse).fit(train)
    reference = OneVsRestClassifier(LogisticRegression(max_iter=1000))
    reference.fit(scaler.transform(train), data.dense_labels(data.rows("train")).astype(int))
    scores = reference.decision_function(scaler.transform(test))
    np.testing.assert_allclose(test @ model.weights + model.bias, scores, atol=2e-2)
    predicted = np.zeros(scores.shape, dtype=int)
    for row, chain in enumerate(model.predict(test).chains):
        predicted[row, chain[chain >= 0]] = 1
    assert (predicted == reference.predict(scaler.transform(test))).mean() > 0.99


def test_labels_that_are_always_or_never_there(make_run):
    rng = np.random.default_rng(0)
    labels = np.column_stack([np.ones(20), np.zeros(20), rng.integers(0, 2, 20)]).astype(int)
    data = MultilabelDataset.from_arrays(
        "constant", rng.normal(size=(20, 3)), labels, train_rows=range(15), test_rows=range(15, 20)
    )
    run = make_run("binary-relevance")
    train_binary_relevance(run, data, silent)
    predictions = LinearScores.load(run.directory / "scores.npz").predict(
        data.dense_features(data.rows("test"))
    )
    assert (predictions.ranking[:, 0] == 0).all()
    assert (predictions.chains[:, 0] == 0).all()
    assert not (predictions.chains == 1).any()


def test_popularity_says_the_same_of_every_input(make_run, make_dataset):
    data, run = make_dataset(), make_run("popularity")
    train_popularity(run, data, silent)
    predictions = LinearScores.load(run.directory / "scores.npz").predict(
        data.dense_features(data.rows("test"))
    )
    frequency = data.label_frequencies("train")
    assert (np.diff(frequency[predictions.ranking[0]]) <= 0).all()
    assert (predictions.ranking == predictions.ranking[0]).all()
    assert predictions.chains.shape[1] == max(1, round(data.cardinality("train")))


def test_damaged_models_are_refused(tmp_path):
    path = tmp_path / "scores.npz"
    with pytest.raises(RunError, match=r"scores\.npz does not exist"):
        LinearScores.load(path)
    for content in (b"", b"hello", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"scores\.npz is not a labelchain model"):
            LinearScores.load(path)
    np.savez(path, weights=np.array([object()], dtype=object), bias=0, threshold=0)
    with pytest.raises(RunError, match="is not a labelchain model"):
        LinearScores.load(path)
