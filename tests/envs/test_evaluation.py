"""An evaluation: every row of a split once, in batches, whatever their size."""

import numpy as np
import pytest

from labelchain.envs import DatasetError, evaluate
from labelchain.envs.evaluation import SelectedPredictor
from labelchain.envs.metrics import Predictions


class Constant:
    """Ranks labels from some label on, and predicts that one alone."""

    def __init__(self, first):
        self.first = first
        self.sizes = []

    def predict(self, features):
        self.sizes.append(len(features))
        ranking = (np.arange(5) + self.first) % 5
        return Predictions(np.tile(ranking, (len(features), 1)), np.full((len(features), 1), self.first))


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_each_row_once_whatever_the_size_of_batches(dataset, batch_size):
    done, model = [], Constant(2)
    found = evaluate(model, dataset, "test", batch_size=batch_size, on_batch=done.append)
    assert sum(done) == len(dataset.rows("test"))
    assert done == model.sizes
    assert max(done) <= batch_size
    assert found.metrics == evaluate(Constant(2), dataset, "test").metrics
    share = dataset.labels[dataset.rows("test")][:, [2]].mean()
    assert found.metrics["P@1"] == pytest.approx(100 * share)


def test_rankings_and_label_sets_of_two_predictors(dataset):
    found = evaluate(SelectedPredictor(Constant(1), Constant(3)), dataset, "validation").predictions
    assert (found.ranking[:, 0] == 1).all()
    assert (found.chains == 3).all()


def test_an_unknown_split(dataset):
    with pytest.raises(DatasetError, match="unknown split 'dev'"):
        evaluate(Constant(0), dataset, "dev")
