"""What the columns of a label matrix are called."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from labelchain.baselines.label_encoding import LabelEncoding

MATRIX = np.array([[1, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    "columns",
    [
        pd.Index(["a", "b", "c"]),
        pd.Index([10, 20, 30]),
        pd.Index([0.5, 1.5, 2.5]),
        pd.MultiIndex.from_tuples([("sea", 1), ("sea", 2), ("sky", 1)]),
        pd.date_range("2020-01-01", periods=3),
    ],
    ids=lambda columns: type(columns).__name__,
)
def test_columns_of_a_frame_stay_what_they_are(columns):
    frame = pd.DataFrame(MATRIX, columns=columns)
    encoding, matrix = LabelEncoding.fit(frame)
    assert encoding.classes.tolist() == list(columns)
    assert [frame[label].tolist() for label in encoding.classes] == MATRIX.T.tolist()
    assert matrix.toarray().tolist() == MATRIX.tolist()


@pytest.mark.parametrize("kind", ["int64", "bool", "float32", "Int64", "boolean", pd.SparseDtype("int64", 0)])
def test_frames_of_any_type_of_numbers(kind):
    encoding, matrix = LabelEncoding.fit(pd.DataFrame(MATRIX, columns=list("abc")).astype(kind))
    assert encoding.is_sparse == isinstance(kind, pd.SparseDtype)
    assert matrix.toarray().tolist() == MATRIX.tolist()
    chains = np.array([[2, 0], [2, -1]])
    predicted = encoding.indicators(chains)
    assert (predicted.toarray() if sparse.issparse(predicted) else predicted).tolist() == MATRIX.tolist()


class One:
    """A label that reads like another."""

    def __init__(self, number):
        self.number = number

    def __lt__(self, other):
        return self.number < other.number

    def __repr__(self):
        return "one"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pd.DataFrame(MATRIX, columns=["a", "b", "a"]), "got 'a' and 'a'"),
        (pd.DataFrame(MATRIX, columns=[1, "b", "1"]), "got 1 and '1'"),
        ([[One(1)], [One(2)]], "got one and one"),
    ],
)
def test_two_labels_that_are_the_same_are_refused(labels, message):
    with pytest.raises(ValueError, match=rf"labels must differ, as text, too; {re.escape(message)}: rename"):
        LabelEncoding.fit(labels)
