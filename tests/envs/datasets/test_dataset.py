"""MultilabelDataset: conversion, the validation tenth, and what each wrong input is told."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from labelchain.envs.datasets import DatasetError, MultilabelDataset

FEATURES = np.arange(12.0).reshape(6, 2)
LABELS = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]])


def build(**changes: Any) -> MultilabelDataset:
    arguments: dict[str, Any] = {
        "name": "toy",
        "features": FEATURES,
        "labels": LABELS,
        "train_rows": [0, 1, 2],
        "validation_rows": [3],
        "test_rows": [5, 4],
    }
    return MultilabelDataset.from_arrays(**(arguments | changes))


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
def test_features_keep_their_storage_as_float32(convert: Any) -> None:
    dataset = build(features=convert(FEATURES))
    assert dataset.is_sparse == (convert is not np.asarray)
    assert dataset.features.dtype == np.float32
    np.testing.assert_array_equal(dataset.dense_features(np.arange(6)), FEATURES)


@pytest.mark.parametrize(
    "convert", [np.asarray, sparse.csr_array, sparse.csc_matrix, lambda y: y.astype(bool)]
)
def test_labels_become_canonical_csr(convert: Any) -> None:
    labels = build(labels=convert(LABELS)).labels
    assert isinstance(labels, sparse.csr_array)
    assert labels.dtype == np.int8
    assert labels.has_canonical_format
    np.testing.assert_array_equal(labels.toarray(), LABELS)


def test_stored_zeros_are_no_labels_and_columns_are_sorted() -> None:
    ends = np.array([0, 2, 3, 4])
    stored = sparse.csr_array((np.array([1, 1, 0, 1]), np.array([2, 0, 1, 1]), ends), shape=(3, 3))
    labels = build(
        features=FEATURES[:3], labels=stored, train_rows=[0], validation_rows=[1], test_rows=[2]
    ).labels
    assert labels.indices.tolist() == [0, 2, 1]
    assert labels.indptr.tolist() == [0, 2, 2, 3]
    assert labels.data.tolist() == [1, 1, 1]


def test_splits_are_sorted_and_known_by_name() -> None:
    dataset = build()
    assert {name: rows.tolist() for name, rows in dataset.splits.items()} == {
        "train": [0, 1, 2],
        "validation": [3],
        "test": [4, 5],
    }
    assert dataset.rows("test").dtype == np.int64
    with pytest.raises(DatasetError, match=r"unknown split 'dev': expected one of train, validation, test"):
        dataset.rows("dev")


@pytest.mark.parametrize(("num_train", "held_out"), [(2, 1), (19, 1), (20, 2), (105, 10)])
def test_a_tenth_of_the_training_rows_is_held_out(num_train: int, held_out: int) -> None:
    rows = num_train + 1
    labels = np.ones((rows, 1), dtype=int)
    arguments = {"train_rows": np.arange(num_train), "validation_rows": None, "test_rows": [num_train]}
    first, second = (build(features=np.ones((rows, 2)), labels=labels, **arguments) for _ in range(2))
    assert len(first.rows("validation")) == held_out
    both = np.concatenate([first.rows("train"), first.rows("validation")])
    assert sorted(both) == list(range(num_train))
    np.testing.assert_array_equal(first.rows("validation"), second.rows("validation"))


def test_statistics() -> None:
    dataset = build()
    assert (dataset.num_features, dataset.num_labels) == (2, 3)
    assert dataset.cardinality() == pytest.approx(8 / 6)
    assert dataset.cardinality("train") == pytest.approx(2)
    assert dataset.label_frequencies().tolist() == [2, 2, 2]
    assert dataset.label_frequencies("test").tolist() == [1, 0, 1]
    assert dataset.largest_label_set() == 3
    assert dataset.largest_label_set("test") == 1
    assert dataset.dense_labels(np.array([3, 2])).tolist() == [[False] * 3, [True] * 3]


def test_dense_features_are_a_copy() -> None:
    dataset = build()
    dataset.dense_features(np.array([0]))[:] = 99.0
    np.testing.assert_array_equal(dataset.features, FEATURES)


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_feature_range(convert: Any) -> None:
    assert build(features=convert(FEATURES)).feature_range() == (0.0, 11.0)
    assert build(features=convert(FEATURES * 0)).feature_range() == (0.0, 1.0)


@pytest.mark.parametrize("writeable", [False, True])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_given_matrices_are_read_only_in_effect(kind: Any, writeable: bool) -> None:
    """Also those that must be put in order: stored zeros, columns that are unsorted or named twice."""
    rows, ends = len(FEATURES), np.arange(len(FEATURES) + 1) * 3
    features = kind(
        (np.arange(3.0 * rows, dtype=np.float32), np.tile([2, 0, 2], rows), ends), shape=(rows, 3)
    )
    labels = kind((np.tile(np.int8([1, 0, 1]), rows), np.tile([2, 1, 0], rows), ends), shape=(rows, 3))
    arrays = [part for each in (features, labels) for part in (each.data, each.indices, each.indptr)]
    before = [part.copy() for part in arrays]
    for part in arrays:
        part.flags.writeable = writeable
    dataset = build(features=features, labels=labels)
    for part, kept in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(part, kept)
    np.testing.assert_array_equal(dataset.features.toarray(), features.toarray())
    assert dataset.labels.toarray().tolist() == [[1, 0, 1]] * rows
    assert dataset.labels.nnz == 2 * rows
    if writeable:
        labels.indices[:] = 1
        assert dataset.labels.toarray().tolist() == [[1, 0, 1]] * rows


def test_the_fingerprint_is_that_of_the_content() -> None:
    assert build().fingerprint == build(name="other", label_names=["a", "b", "c"]).fingerprint
    sparse_ones = [build(features=sparse.csr_array(FEATURES)), build(labels=sparse.csc_array(LABELS))]
    assert sparse_ones[1].fingerprint == build().fingerprint
    others = [
        build(features=FEATURES + 1),
        build(labels=1 - LABELS),
        build(features=FEATURES.reshape(6, 2)[:, :1]),
        build(test_rows=[4]),
        sparse_ones[0],
    ]
    assert len({data.fingerprint for data in [build(), *others]}) == 1 + len(others)


def test_a_deep_copy_is_the_data_set_itself() -> None:
    dataset = build()
    assert copy.deepcopy({"dataset": dataset})["dataset"] is dataset


@pytest.mark.parametrize("convert", [tuple, list, np.array])
def test_an_image_shape_becomes_plain_integers(convert: Any) -> None:
    shape = build(image_shape=convert([2, 1])).image_shape
    assert shape == (2, 1)
    assert [type(side) for side in shape] == [int, int]


def test_names_are_numbers_unless_given() -> None:
    assert build().label_names == ("0", "1", "2")
    assert build().feature_names is None
    dataset = build(label_names=["a", "b", "c"], feature_names=["x", "x"])
    assert dataset.label_names == ("a", "b", "c")
    assert dataset.feature_names == ("x", "x")


def test_annotations_become_csr() -> None:
    annotations = build(annotations={"blurred": sparse.coo_matrix(LABELS)}).annotations
    assert isinstance(annotations["blurred"], sparse.csr_array)
    np.testing.assert_array_equal(annotations["blurred"].toarray(), LABELS)


def with_nan(row: int) -> np.ndarray[Any, Any]:
    features = FEATURES + 1
    features[row, 1] = np.nan
    return features


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"features": FEATURES[:5]}, "toy: features have 5 rows but labels have 6; they must be equal"),
    (
        {"features": FEATURES[0]},
        "features must have shape (rows, features) with at least one feature, got (2,)",
    ),
    ({"features": FEATURES[:, :0]}, "with at least one feature, got (6, 0)"),
    ({"features": [["a", "b"]] * 6}, "features must be numbers in a rectangular array"),
    ({"features": [[1.0], [1.0, 2.0]]}, "features must be numbers in a rectangular array"),
    ({"features": with_nan(4)}, "must be finite float32 numbers, but row 4 holds NaN or infinity"),
    ({"features": sparse.csr_array(with_nan(2))}, "must be finite float32 numbers, but row 2 holds NaN"),
    ({"features": np.full((6, 2), np.inf)}, "but row 0 holds NaN or infinity; impute or drop such rows"),
    ({"labels": LABELS[:, :0]}, "labels must have shape (rows, labels) with at least one label, got (6, 0)"),
    ({"labels": [[1], [1, 0]]}, "labels must be a rectangular array of 0 and 1"),
    ({"labels": LABELS * 2}, "label values must be 0 or 1, but row 0, label 0 is 2"),
    ({"labels": np.where(LABELS, np.nan, 0)}, "label values must be 0 or 1, but row 0, label 0 is nan"),
    ({"labels": -sparse.csr_array(LABELS)}, "label values must be 0 or 1, but row 0, label 0 is -1"),
    ({"train_rows": []}, "toy: training split is empty; it needs at least one row"),
    ({"validation_rows": []}, "toy: validation split is empty"),
    ({"test_rows": []}, "toy: test split is empty"),
    (
        {"train_rows": [0.0, 1.0]},
        "training split must be a one-dimensional array of row numbers, got shape (2,)",
    ),
    ({"train_rows": [True, False]}, "of bool"),
    ({"test_rows": [[4, 5]]}, "must be a one-dimensional array of row numbers, got shape (1, 2)"),
    ({"test_rows": [4, 5, 4, 4]}, "toy: test split names 2 rows twice"),
    ({"test_rows": [4, 6]}, "toy: test split has row numbers outside 0..5"),
    ({"test_rows": [-1, 4]}, "toy: test split has row numbers outside 0..5"),
    (
        {"test_rows": [2, 4]},
        "splits must be disjoint, but row 2 is in more than one of train, validation, test",
    ),
    ({"train_rows": [0], "validation_rows": None}, "training split has 1 row; holding out a tenth needs two"),
    ({"label_names": ["a", "b"]}, "toy: expected 3 label names, got 2"),
    ({"label_names": ["a", "b", "a"]}, "toy: label names must differ, but 'a' occurs twice"),
    ({"feature_names": ["a"]}, "toy: expected 2 feature names, got 1"),
    (
        {"image_shape": (-1, -2)},
        "two positive integers whose product is the number of features, 2; got (-1, -2)",
    ),
    ({"name": "../elsewhere"}, "a data set cannot be called '../elsewhere': its name becomes part of folder"),
    ({"name": "a\nb"}, "expected text without slashes and control characters"),
    ({"image_shape": (2, 2)}, "the number of features, 2; got (2, 2)"),
    ({"image_shape": (1, 2, 1)}, "toy: image_shape must be (height, width)"),
    ({"image_shape": (1.0, 2.0)}, "toy: image_shape must be (height, width)"),
    ({"image_shape": 2}, "toy: image_shape must be (height, width)"),
    ({"name": None}, "the name of a data set must be text, got None"),
    (
        {"annotations": {"blurred": sparse.csr_array(LABELS[:, :2])}},
        "toy: annotation 'blurred' must be a sparse array of the labels' shape, (6, 3), got (6, 2)",
    ),
    ({"annotations": {"blurred": LABELS}}, "of the labels' shape, (6, 3), got ndarray"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
def test_wrong_input(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        build(**changes)


def test_an_error_is_a_value_error() -> None:
    assert issubclass(DatasetError, ValueError)
