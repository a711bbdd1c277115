"""Classifier chains: the models of scikit-learn's, on disk and back."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import ClassifierChain
from sklearn.preprocessing import StandardScaler

from labelchain.agents.runs import RunError
from labelchain.baselines.classifier_chains import (
    ENSEMBLE,
    ClassifierChains,
    train_classifier_chain,
    train_classifier_chains,
)
from labelchain.baselines.learners import fit, learner_named
from labelchain.envs import MultilabelDataset


def silent(share, note):
    """A progress callback that shows nothing."""


@pytest.mark.parametrize("sparse", [False, True])
def test_probabilities_and_decisions_equal_scikit_learn_s(make_run, make_dataset, sparse):
    data, run = make_dataset(num_rows=240, num_labels=6, sparse=sparse), make_run("ensemble-of-chains")
    told = []
    assert train_classifier_chains(3, run, data, lambda share, _: told.append(share)) == len(
        data.rows("train")
    )
    model = ClassifierChains.load(run.directory / "scores.npz")
    train, test = (data.dense_features(data.rows(split)) for split in ("train", "test"))
    scaler = StandardScaler(with_mean=not sparse, with_std=not sparse).fit(train)
    labels = data.dense_labels(data.rows("train")).astype(int)
    expected = 0.0
    for order in model.order:
        chain = ClassifierChain(LogisticRegression(max_iter=1000), order=order.tolist())
        chain.fit(scaler.transform(train), labels)
        expected = expected + chain.predict_proba(scaler.transform(test)) / 3
    found = model.label_scores(test)
    assert (np.abs(found - expected) < 0.01).mean() > 0.98  # a decision on the edge may fall either way
    predictions = model.predict(test)
    for row, chain in enumerate(predictions.chains):
        assert set(chain[chain >= 0]) == set(np.flatnonzero(found[row] > 0.5))
        assert (np.diff(found[row, predictions.ranking[row]]) <= 0).all()
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_labels_that_are_always_or_never_there(make_run):
    rng = np.random.default_rng(0)
    labels = np.column_stack([np.ones(20), np.zeros(20), rng.integers(0, 2, 20)]).astype(int)
    data = MultilabelDataset.from_arrays(
        "constant", rng.normal(size=(20, 3)), labels, train_rows=range(15), test_rows=range(15, 20)
    )
    run = make_run("classifier-chain")
    train_classifier_chain(run, data, silent)
    model = ClassifierChains.load(run.directory / "scores.npz")
    found = model.label_scores(data.dense_features(data.rows("test")))
    assert (found[:, 0] == 1).all()
    assert (found[:, 1] == 0).all()


def test_the_learners_are_one_chain_and_ten(make_run, dataset):
    for name, chains in (("classifier-chain", 1), ("ensemble-of-chains", ENSEMBLE)):
        run = make_run(name)
        assert fit(run, dataset, silent)["P@1"] > 40
        model = learner_named(name).load(run, dataset)
        assert len(model.order) == chains
        assert len({tuple(order) for order in model.order.tolist()}) > chains / 2


def test_a_model_of_other_data_or_a_damaged_one_is_refused(make_run, make_dataset, dataset):
    run = make_run("classifier-chain")
    fit(run, dataset, silent)
    with pytest.raises(RunError, match="does not fit random"):
        learner_named("classifier-chain").load(run, make_dataset(num_labels=4))
    (run.directory / "scores.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(RunError, match=r"scores\.npz is not a labelchain model"):
        learner_named("classifier-chain").load(run, dataset)
