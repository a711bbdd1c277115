"""What the columns of a label matrix are called."""

import itertools
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


@pytest.mark.parametrize(
    "convert", [lambda frame: frame, lambda frame: frame.astype(pd.SparseDtype("int64", 0))]
)
def test_columns_of_other_frames_are_found_by_name(convert):
    names = [10, "b", ("c", 1)]
    frame = pd.DataFrame(MATRIX, columns=pd.Index(names, tupleize_cols=False))
    encoding, matrix = LabelEncoding.fit(frame)
    for order in itertools.permutations(names):
        assert encoding.encode(convert(frame[list(order)])).toarray()[:, :3].tolist() == MATRIX.tolist()
    assert encoding.encode(matrix).toarray()[:, :3].tolist() == MATRIX.tolist()
    assert (
        LabelEncoding.fit(MATRIX)[0].encode(frame[names[::-1]]).toarray()[:, 2::-1].tolist()
        == MATRIX.tolist()
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ["a", "b", "z"],
            "Y has no column 'c', which fit had: give the columns of fit, in any order; got ['a', 'b', 'z']",
        ),
        (["a", "b", "a"], "Y has no column 'c'"),
        (["a", "b"], "Y has 2 columns, but 3 in fit"),
        (["a", "b", "c", "c"], "Y has 4 columns, but 3 in fit"),
    ],
)
def test_a_frame_of_other_columns_is_refused(columns, message):
    encoding, _ = LabelEncoding.fit(pd.DataFrame(MATRIX, columns=list("abc")))
    with pytest.raises(ValueError, match=re.escape(message)):
        encoding.encode(pd.DataFrame(np.ones((2, len(columns)), dtype=int), columns=columns))
