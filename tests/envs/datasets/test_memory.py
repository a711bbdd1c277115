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
        ([["sea"], [], []], {}, "features have 4 rows but labels have 3"),
        ([[], [], [], []], {}, "at least one label, got (4, 0)"),
        ([[1], [1, 0], [], [0]], {}, "for lists of label numbers, give num_labels"),
    ],
)
def test_wrong_labels(labels: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=rf"^toy: .*{re.escape(message)}"):
        build(labels, **changes)


def test_text_in_a_frame() -> None:
    with pytest.raises(DatasetError, match="features must be numbers in a rectangular array"):
        build(MATRIX, Frame([["a", 1]] * 4, ["x", "y"]))
