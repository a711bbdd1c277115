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


@pytest.mark.parametrize("rows", [[[0], [1]], [[0, 1], [1, 0]], [[1, 0]], [{0}, {1}], [(1,), ()]])
def test_lists_may_look_like_a_matrix_where_fit_had_lists(rows):
    encoding, _ = LabelEncoding.fit([[0], [1, 2], [0, 1]])
    encoded = encoding.encode(rows).toarray()
    assert encoded.shape == (len(rows), 4)
    assert [np.flatnonzero(row).tolist() for row in encoded] == [sorted(set(row)) for row in rows]


def test_a_matrix_is_refused_where_fit_had_lists():
    encoding, _ = LabelEncoding.fit([["a"], ["b", "c"]])
    for matrix in (MATRIX, MATRIX.tolist()):
        with pytest.raises(ValueError, match="labels came as lists of labels in fit"):
            encoding.encode(matrix)
    encoding, _ = LabelEncoding.fit([[0], [1, 2], [0, 1]])  # 0 and 1 are labels
    for matrix in ([[0, 0], [0, 1]], [[1, 0, 1]]):
        with pytest.raises(ValueError, match="labels came as lists of labels in fit"):
            encoding.encode(matrix)
    encoding, _ = LabelEncoding.fit(MATRIX.tolist())
    assert encoding.encode(MATRIX.tolist()).toarray()[:, :3].tolist() == MATRIX.tolist()
    assert encoding.encode(list(MATRIX)).toarray()[:, :3].tolist() == MATRIX.tolist()


@pytest.mark.parametrize("kind", [set, frozenset, lambda row: dict.fromkeys(row).keys()])
def test_sets_of_the_labels_0_and_1_are_no_matrix(kind):
    rows = [kind([0]), kind([1])] * 3
    encoding, matrix = LabelEncoding.fit(rows)
    assert encoding.of_lists
    assert encoding.classes.tolist() == [0, 1]
    assert matrix.toarray().tolist() == [[1, 0], [0, 1]] * 3
    assert encoding.encode(rows[:2]).toarray().tolist() == [[1, 0, 0], [0, 1, 0]]


def test_dictionaries_are_refused_whose_keys_would_all_be_labels():
    rows = [["sea"], {"sea": 1, "sky": 0}]
    message = re.escape("row 1 is {'sea': 1, 'sky': 0}: list the labels that the row has")
    with pytest.raises(ValueError, match=message):
        LabelEncoding.fit(rows)
    with pytest.raises(ValueError, match=message):
        LabelEncoding.fit([["sea"], ["sky"]])[0].encode(rows)
