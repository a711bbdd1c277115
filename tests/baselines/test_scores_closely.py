"""Classical baselines: label sets of the right size, scores of the right model, files that are refused."""

import random
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from labelchain.agents.runs import RunError
from labelchain.baselines.classifier_chains import ClassifierChains, train_classifier_chain
from labelchain.baselines.scores import LinearScores, train_binary_relevance, train_popularity
from labelchain.envs import MultilabelDataset


def silent(share, note):
    """A progress callback that shows nothing."""


def data_of(features, labels):
    num_rows = len(labels)
    first_test = 2 * num_rows // 3
    return MultilabelDataset.from_arrays(
        "scores", features, labels, train_rows=range(first_test), test_rows=range(first_test, num_rows)
    )


def trained(train, run, data):
    train(run, data, silent)
    return LinearScores.load(run.directory / "scores.npz")


@pytest.mark.parametrize("sparse", [False, True])
def test_decisions_equal_one_vs_rest(make_run, make_dataset, sparse):
    data = make_dataset(num_rows=240, num_labels=6, sparse=sparse)
    if not sparse:  # columns of other sizes and places
        moved = data.features * np.array([1, 10, 0.1, 1, 3, 100]) + np.array([0, 50, -1, 7, 0, 300])
        data = MultilabelDataset(
            "moved", moved.astype(np.float32), data.labels, data.splits, data.label_names
        )
    model = trained(train_binary_relevance, make_run("binary-relevance"), data)
    train, test = (data.dense_features(data.rows(split)) for split in ("train", "test"))
    scaler = StandardScaler(with_mean=not sparse, with_std=not sparse).fit(train)
    reference = OneVsRestClassifier(LogisticRegression(max_iter=1000))
    reference.fit(scaler.transform(train), data.dense_labels(data.rows("train")).astype(int))
    scores = reference.decision_function(scaler.transform(test))
    np.testing.assert_allclose(test @ model.weights + model.bias, scores, atol=5e-3, rtol=1e-3)
    clear = np.abs(scores) > 0.01
    predictions = model.predict(test)
    predicted = np.zeros(scores.shape, dtype=bool)
    for row, chain in enumerate(predictions.chains):
        labels = chain[chain >= 0]
        predicted[row, labels] = True
        assert (np.diff(scores[row, labels]) < 0.01).all()  # best first
        assert chain.tolist() == [*labels, *[-1] * (len(chain) - len(labels))]
    np.testing.assert_array_equal(predicted[clear], (scores > 0)[clear])
    assert predictions.ranking.shape == (len(test), 5)


@pytest.mark.parametrize(
    ("train", "kind"), [(train_binary_relevance, LinearScores), (train_classifier_chain, ClassifierChains)]
)
def test_a_feature_far_from_zero_counts_as_one_that_is_near(make_run, make_dataset, train, kind):
    """Such as a time in seconds since 1970."""
    near = make_dataset(num_rows=240, num_features=3, num_labels=3)
    near = replace(near, features=near.features.round(2) * 4096)
    far = replace(near, features=near.features + np.float32(2**30))
    scores = []
    for data in (near, far):
        run = make_run("binary-relevance")
        train(run, data, silent)
        model = kind.load(run.directory / "scores.npz")
        scores.append(model.label_scores(data.dense_features(data.rows("test"))))
    assert np.abs(scores[0] - scores[1]).max() < 0.02


@pytest.mark.parametrize("num_labels", [1, 2, 3])
def test_with_few_labels_the_ranking_has_all_of_them(make_run, make_dataset, num_labels):
    data = make_dataset(num_labels=num_labels)
    for train in (train_binary_relevance, train_popularity):
        predictions = trained(train, make_run("scores"), data).predict(data.dense_features(data.rows("test")))
        assert np.sort(predictions.ranking, axis=1).tolist() == [list(range(num_labels))] * len(
            predictions.ranking
        )


def test_no_label_at_all_is_an_empty_set(make_run):
    rng = np.random.default_rng(0)
    data = data_of(rng.normal(size=(30, 2)), np.column_stack([np.zeros(30), np.arange(30) == 0]).astype(int))
    model = trained(train_binary_relevance, make_run("binary-relevance"), data)
    assert (model.predict(data.dense_features(data.rows("test"))).chains == -1).all()


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ([20, 20], 2),  # all labels everywhere
        ([10, 10], 1),  # two labels that tie
        ([10, 10, 10, 10], 2),  # a tie across the edge of the set
        ([20, 3, 3, 3], 1),
        ([20, 15, 15], 2),
        ([1, 1, 0], 1),  # less than half a label on average: one all the same
    ],
)
def test_the_popular_set_has_as_many_labels_as_inputs_have_on_average(make_run, counts, size):
    labels = np.zeros((24, len(counts)), dtype=int)
    for label, count in enumerate(counts):
        labels[np.roll(np.arange(20), 10 * (label % 2))[:count], label] = 1
    labels[20:] = 1  # what validation and test rows say does not count
    data = MultilabelDataset.from_arrays(
        "popular",
        np.zeros((24, 1)),
        labels,
        train_rows=range(20),
        validation_rows=[20, 21],
        test_rows=[22, 23],
    )
    assert max(1, round(data.cardinality("train"))) == size
    predictions = trained(train_popularity, make_run("popularity"), data).predict(np.ones((3, 1), np.float32))
    expected = sorted(range(len(counts)), key=lambda label: (-counts[label], label))
    assert predictions.chains.tolist() == [expected[:size]] * 3
    assert predictions.ranking.tolist() == [expected[:5]] * 3


def test_a_threshold_and_infinite_scores_survive_the_file(tmp_path):
    bias = np.array([np.inf, -np.inf, 0.25], dtype=np.float32)
    LinearScores(np.zeros((2, 3), np.float32), bias, threshold=0.2).save(tmp_path / "scores.npz")
    model = LinearScores.load(tmp_path / "scores.npz")
    predictions = model.predict(np.ones((1, 2), np.float32))
    assert predictions.chains.tolist() == [[0, 2]]
    assert predictions.ranking.tolist() == [[0, 2, 1]]
    assert [path.name for path in tmp_path.iterdir()] == ["scores.npz"]


def test_no_damage_to_a_scores_file_ends_in_anything_but_a_clear_error(tmp_path):
    path = tmp_path / "scores.npz"
    LinearScores(np.ones((3, 2), np.float32), np.zeros(2, np.float32)).save(path)
    content, rng = path.read_bytes(), random.Random(0)
    refused = 0
    for trial in range(400):
        damaged = bytearray(content[: rng.randrange(len(content))] if trial % 3 == 0 else content)
        for _ in range(0 if trial % 3 == 0 else rng.choice([1, 4, 30])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(bytes(damaged))
        try:
            LinearScores.load(path)
        except RunError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 150


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_scores_file_never_runs_code(tmp_path):
    path, trap = tmp_path / "scores.npz", tmp_path / "trap"
    np.savez(path, weights=np.array([Payload(trap)], dtype=object), bias=np.zeros(1), threshold=0.0)
    with pytest.raises(RunError, match="train again"):
        LinearScores.load(path)
    assert not trap.exists()
