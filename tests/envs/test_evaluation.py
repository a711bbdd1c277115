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


@pytest.mark.parametrize(
    ("ranking", "chains", "message"),
    [
        ([10], [0], "ranking must hold labels"),  # STOP: of this row and column there is none
        ([0], [0, 0], "chains must hold no label twice"),
        ([0, 1, 2], [], None),
    ],
)
def test_what_is_no_prediction_is_refused(dataset, ranking, chains, message):
    class Given:
        def predict(self, features):
            return Predictions(
                *(np.tile(np.array(each, int), (len(features), 1)) for each in (ranking, chains))
            )

    if message is None:
        assert evaluate(Given(), dataset, "test").metrics["length"] == 0.0
        return
    with pytest.raises(ValueError, match=message):
        evaluate(Given(), dataset, "test")


def test_predictions_of_too_few_rows_are_refused(dataset):
    class Short(Constant):
        def predict(self, features):
            return super().predict(features[1:])

    with pytest.raises(ValueError, match=r"expected ranking of \d+ rows, got \d+"):
        evaluate(Short(0), dataset, "test")
