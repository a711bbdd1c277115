"""Data frames and lists of labels from memory."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from labelchain.envs.datasets import DatasetError, MultilabelDataset

FEATURES = np.arange(8.0).reshape(4, 2)
MATRIX = [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]]


class Frame:
    """What of a pandas DataFrame is used."""

    def __init__(self, values: Any, columns: list[Any]) -> None:
        self._values = np.asarray(values)
        self.columns = columns

    def to_numpy(self) -> np.ndarray[Any, Any]:
        return self._values

    def __len__(self) -> int:
        return len(self._values)


class SparseFrame(Frame):
    """One whose columns are all sparse."""

    @property
    def sparse(self) -> Any:
        return self

    def to_coo(self) -> sparse.coo_array:
        return sparse.coo_array(self._values)

    def to_numpy(self) -> np.ndarray[Any, Any]:
        raise AssertionError("must not become dense")


class Series:
    """What of a pandas Series is used."""

    ndim = 1

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def to_numpy(self) -> np.ndarray[Any, Any]:
        array = np.empty(len(self._values), dtype=object)
        array[:] = self._values
        return array


def build(labels: Any, features: Any = FEATURES, **changes: Any) -> MultilabelDataset:
    arguments = {"train_rows": [0, 1], "test_rows": [2, 3]} | changes
    return MultilabelDataset.from_arrays("toy", features, labels, **arguments)


NAMES = [["sky", "sea"], [], ["shore"], ["sea", "shore", "sky", "sky"]]


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        lambda rows: [set(row) for row in rows],
        lambda rows: [tuple(row) for row in rows],
        Series,
        lambda rows: Series(rows).to_numpy(),
    ],
    ids=["list", "tuple", "sets", "tuples", "Series", "array of objects"],
)
def test_lists_of_names(convert: Any) -> None:
    data = build(convert(NAMES))
    assert data.label_names == ("sea", "shore", "sky")
    assert data.labels.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]]
    ordered = build(convert(NAMES), label_names=["shore", "sky", "sea", "sand"])
    assert ordered.label_names == ("shore", "sky", "sea", "sand")
    assert ordered.labels.toarray()[0].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("convert", [list, lambda rows: [np.array(row, dtype=int) for row in rows], Series])
def test_lists_of_numbers(convert: Any) -> None:
    data = build(convert([[2, 0], [], [1], [0, 1, 2]]), num_labels=3)
    assert data.labels.toarray().tolist() == MATRIX
    assert data.label_names == ("0", "1", "2")
    named = build(convert([[2, 0], [], [1], [0]]), num_labels=3, label_names=["a", "b", "c"])
    assert named.label_names == ("a", "b", "c")


def test_nested_lists_of_0_and_1_are_a_matrix_unless_num_labels_is_given() -> None:
    assert build([[0, 1], [1, 0], [0, 1], [1, 0]]).labels.toarray().tolist() == [[0, 1], [1, 0]] * 2
    assert build([[0, 1], [1, 0], [0], []], num_labels=2).labels.toarray().tolist() == [
        *([[1, 1]] * 2),
        [1, 0],
        [0, 0],
    ]


def test_frames() -> None:
    data = build(Frame(MATRIX, ["a", "b", 3]), Frame(FEATURES, ["x", ("y", 1)]))
    assert data.label_names == ("a", "b", "3")
    assert data.feature_names == ("x", "('y', 1)")
    np.testing.assert_array_equal(data.features, FEATURES)
    assert data.labels.toarray().tolist() == MATRIX
    renamed = build(Frame(MATRIX, ["a", "b", "c"]), label_names=["d", "e", "f"])
    assert renamed.label_names == ("d", "e", "f")
    mixed = build(Frame(np.array(MATRIX, dtype=object), ["a", "b", "c"]))
    assert mixed.labels.toarray().tolist() == MATRIX
    boolean = build(Frame(np.array(MATRIX, dtype=bool), ["a", "b", "c"]))
    assert boolean.labels.toarray().tolist() == MATRIX


def test_sparse_frames_stay_sparse() -> None:
    data = build(SparseFrame(MATRIX, ["a", "b", "c"]), SparseFrame(FEATURES, ["x", "y"]))
    assert data.is_sparse
    assert data.feature_names == ("x", "y")
    assert data.labels.toarray().tolist() == MATRIX


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        (["sea, sky", "sea", "", "sky"], {}, "labels of row 0 must be a list, got 'sea, sky'; split"),
        ([["sea"], "sky", [], []], {}, "labels of row 1 must be a list, got 'sky'; split the text, or wrap"),
        ([["sea"], None, [], []], {}, "labels of row 1 must be a list, got None"),
        ([["sea"], [3], [], []], {}, "labels of row 1 mix names with 3; expected names only"),
        (
            [["sea"], ["fog"]] * 2,
            {"label_names": ["sea"]},
            "row 1 has the label 'fog', which is not in label_names",
        ),
        ([[0], [3], [], []], {"num_labels": 3}, "row 1 has the label 3; labels are numbered 0..2"),
        ([[0], [-1], [], []], {"num_labels": 3}, "row 1 has the label -1; labels are numbered 0..2"),
        ([[0], [1.0], [], []], {"num_labels": 3}, "row 1 has the label 1.0; expected a number of a label"),
        ([[0], [True], [], []], {"num_labels": 3}, "row 1 has the label True; expected a number of a label"),
        (np.array(MATRIX), {"num_labels": 3}, "num_labels goes with lists of label numbers"),
        (
            [{"sea": 1, "sky": 0}, {}, {}, {}],
            {},
            "labels of row 0 are a mapping, {'sea': 1, 'sky': 0}, whose",
        ),
        ([["1", "0"], ["0", "1"]] * 2, {}, "a matrix, or lists of the names '0' and '1'? Give numbers, or"),
        (np.array([["1", "0"], ["0", "1"]] * 2, dtype=object), {}, "a matrix, or lists of the names"),
        (
            np.array([["1", "0"], ["0", "1"]] * 2),
            {},
            "must be a rectangular array of 0 and 1: these are texts",
        ),
        (
            Frame([[True, object()]] * 4, ["a", "b"]),
            {},
            "must be a rectangular array of 0 and 1: float() arg",
        ),
        (Frame([[True, None]] * 4, ["a", "b"]), {}, "label values must be 0 or 1, but row 0, label 1 is nan"),
        ([["sea"], [], []], {}, "features have 4 rows but labels have 3"),
        ([[], [], [], []], {}, "at least one label, got (4, 0)"),
        ([[1], [1, 0], [], [0]], {}, "for lists of label numbers, give num_labels"),
    ],
)
def test_wrong_labels(labels: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=rf"^toy: .*{re.escape(message)}"):
        build(labels, **changes)


def test_names_0_and_1_are_taken_for_names_where_they_can_be_nothing_else() -> None:
    for rows in ([["1", "0"], [], ["1"], ["0"]], [{"0"}, {"1"}, {"0"}, {"1"}], [["0", "2"]] * 4):
        assert build(rows).label_names in (("0", "1"), ("0", "2"))
    data = build([["1"], ["0"], ["1"], ["0"]], label_names=["0", "1"])
    assert data.labels.toarray().tolist() == [[0, 1], [1, 0]] * 2


def test_objects_may_be_a_matrix() -> None:
    values = np.array([[1, True, 0.0]] * 4, dtype=object)
    assert build(values).labels.toarray().tolist() == [[1, 1, 0]] * 4


def test_names_that_would_rename_the_columns_of_a_frame_in_another_order() -> None:
    labels, features = Frame(MATRIX, ["a", "b", 3]), Frame(FEATURES, ["x", "y"])
    assert build(labels, features, label_names=["a", "b", "3"]).label_names == ("a", "b", "3")
    with pytest.raises(
        DatasetError, match=r"^toy: label_names are the columns .* in another order, but would"
    ):
        build(labels, features, label_names=["b", "a", "3"])
    with pytest.raises(DatasetError, match=r"^toy: feature_names are .*; leave feature_names out, or select"):
        build(labels, features, feature_names=["y", "x"])


class FilledFrame(SparseFrame):
    """One whose columns leave out something else than 0."""

    def to_coo(self) -> sparse.coo_array:
        raise ValueError("fill value must be 0 when converting to COO matrix")


def test_sparse_frames_that_cannot_stay_sparse() -> None:
    with pytest.raises(DatasetError, match=r"^toy: sparse columns of a data frame must leave out zeros, as"):
        build(MATRIX, FilledFrame(FEATURES, ["x", "y"]))

    class Empty(FilledFrame):
        def to_numpy(self) -> np.ndarray[Any, Any]:
            return np.zeros((4, 0))

    with pytest.raises(DatasetError, match=r"^toy: features must have .* at least one feature, got \(4, 0\)"):
        build(MATRIX, Empty(FEATURES, []))


def test_text_in_a_frame() -> None:
    with pytest.raises(DatasetError, match="features must be numbers in a rectangular array"):
        build(MATRIX, Frame([["a", 1]] * 4, ["x", "y"]))


DATES = np.array([["2020-01-01", "NaT"]] * 4, dtype="datetime64[D]")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (DATES, "must be real numbers, got datetime64[D]; convert or drop such columns"),
        (DATES - DATES, "must be real numbers, got timedelta64[D]"),
        (Frame(DATES, ["x", "y"]), "must be real numbers, got datetime64[D]"),
        ([[DATES[0, 0], 1.0]] * 4, "must be real numbers, got dates or times"),
        (Frame(np.array([[DATES[0, 0], 1.0]] * 4, dtype=object), ["x", "y"]), "got dates or times"),
        (FEATURES + 1j, "must be real numbers, got complex128"),
        (sparse.csr_array(FEATURES + 1j), "must be real numbers, got complex128"),
        (np.ma.masked_equal(FEATURES, 4.0), "are a masked array whose masked values would count as numbers"),
    ],
)
def test_what_would_become_numbers_that_nobody_meant(values: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"^toy: features .*{re.escape(message)}"):
        build(MATRIX, values)


def test_masked_labels() -> None:
    with pytest.raises(DatasetError, match=r"^toy: labels are a masked array .*; fill them by \.filled"):
        build(np.ma.masked_equal(MATRIX, 1))
    nothing_is_masked = np.ma.masked_equal(MATRIX, 7)
    assert build(nothing_is_masked, np.ma.masked_equal(FEATURES, 99)).labels.toarray().tolist() == MATRIX
