"""LIBSVM's multi-label text: what is read, and what each wrong file is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from labelchain.envs.datasets import DatasetError, read_libsvm
from labelchain.envs.datasets.libsvm import libsvm_feature_parts

TRAIN = "# a comment\n3,1 1:0.5 4:2 # another\n2:1 3:1\n\n1 1:0\n"
TEST = "7 2:1.5\n1 1:1\n"


def write(folder: Path, train: str = TRAIN, test: str = TEST) -> tuple[Path, Path]:
    (folder / "toy_train.svm").write_text(train)
    (folder / "toy_test.svm").write_text(test)
    return folder / "toy_train.svm", folder / "toy_test.svm"


def test_two_files(tmp_path: Path) -> None:
    data = read_libsvm(*write(tmp_path))
    assert data.name == "toy"
    assert data.label_names == ("1", "3", "7")  # the numbers that occur in either file
    assert data.labels.toarray().tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]
    rows = [[0.5, 0, 0, 2], [0, 1, 1, 0], [0, 0, 0, 0], [0, 1.5, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(data.dense_features(np.arange(5)), np.array(rows))
    assert data.is_sparse
    assert data.rows("test").tolist() == [3, 4]


def test_features_are_numbered_from_zero_if_one_file_names_a_feature_0(tmp_path: Path) -> None:
    paths = write(tmp_path)
    for zero_based, found, num_features in ((None, False, 4), (False, False, 4), (True, True, 5)):
        data = read_libsvm(*paths, zero_based=zero_based)
        assert (data.num_features, data.zero_based) == (num_features, found)
    data = read_libsvm(*write(tmp_path, test="7 0:1.5\n"))
    assert (data.num_features, data.zero_based) == (5, True)
    with pytest.raises(DatasetError, match=r"toy_test\.svm, line 1: feature 0, but .* from 1, as was"):
        read_libsvm(*write(tmp_path, test="7 0:1.5\n"), zero_based=False)


@pytest.mark.parametrize("zero_based", [False, True])
@pytest.mark.parametrize("query", [None, np.arange(6)])
def test_scikit_learn_writes_what_is_read(tmp_path: Path, zero_based: bool, query: Any) -> None:
    """Rows without labels and features too, which scikit-learn itself does not read again."""
    features = np.array([[1, 0.5], [0, 0], [0, 0], [0, 2], [3, 0], [0, 0]])
    labels = np.array([[1, 0], [0, 0], [0, 1], [0, 0], [1, 1], [0, 0]])
    for role in ("train", "test"):
        dump_svmlight_file(
            *(features, labels, str(tmp_path / f"{role}.svm")),
            zero_based=zero_based,
            query_id=query,
            multilabel=True,
        )
    data = read_libsvm(tmp_path / "train.svm", tmp_path / "test.svm")
    assert data.zero_based == zero_based
    np.testing.assert_array_equal(data.dense_features(np.arange(12)), np.vstack([features, features]))
    np.testing.assert_array_equal(data.labels.toarray(), np.vstack([labels, labels]))
    for size in (1, 4, 9):
        parts = libsvm_feature_parts(tmp_path / "test.svm", 2, None, size)
        np.testing.assert_array_equal(np.vstack([part.toarray() for part in parts]), features)


def test_blanks_that_end_a_file_are_no_row(tmp_path: Path) -> None:
    one, other = (read_libsvm(*write(tmp_path, test=TEST.rstrip("\n") + end)) for end in ("\n  ", "\n  \n"))
    assert len(other.rows("test")) == len(one.rows("test")) + 1  # a line of blanks is one


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    train, test = write(tmp_path, "2,1 1:1\n1 2:1\n", "1 1:2\n")
    plain = read_libsvm(train, test)
    train.write_text("2,1 1:1\n1 2:1\n", encoding="utf-8-sig")
    assert read_libsvm(train, test).fingerprint == plain.fingerprint


def test_labels_that_a_row_repeats_count_once(tmp_path: Path) -> None:
    data = read_libsvm(*write(tmp_path, "1,1 1:1\n-2 1:1\n"))
    assert data.label_names == ("-2", "1", "7")
    assert data.labels.toarray()[:2].tolist() == [[0, 1, 0], [1, 0, 0]]


WRONG = [
    ("a 1:1\n", "line 1: expected labels such as 1,3, whole numbers, got 'a'"),
    ("1, 1:1\n", "line 1: expected labels such as 1,3, whole numbers, got ''"),
    ("0.5 1:1\n", "line 1: expected labels such as 1,3, whole numbers, got '0.5'"),
    ("nan 1:1\n", "line 1: expected labels such as 1,3, whole numbers, got 'nan'"),
    ("inf 1:1\n", "line 1: expected labels such as 1,3, whole numbers, got 'inf'"),
    ("1e300 1:1\n", "line 1: label 1e300 is too large a number"),
    ("1 1:1\n1 x:1\n", "line 2: expected 'feature:number', got 'x:1'"),
    ("# c\n1 1\n", "line 2: expected 'feature:number', got '1'"),
    ("1 -1:1\n", "line 1: expected 'feature:number', got '-1:1'"),
    ("1 2:1 1:1\n", "line 1: features must ascend without repetition, but 1 follows 2"),
    ("1 2:1 2:1\n", "line 1: features must ascend without repetition, but 2 follows 2"),
    ("1 99999999999:1\n", "line 1: feature 99999999999 is out of range: at most 10,000,000"),
    ("1 99999999999999999999999999:1\n", "line 1: feature 99999999999999999999 is out of range"),
    ("1 1:x\n", "line 1: feature 1 has the value 'x'; expected a number"),
    ("1 1:\n", "line 1: feature 1 has the value ''; expected a number"),
    ("1 1:nan\n", "line 1: feature 1 is nan; expected a finite number"),
    ("1 1:-inf\n", "line 1: feature 1 is -inf; expected a finite number"),
    ("1 1:1e39\n", "line 1: feature 1 has the value 1e39, too large for float32"),
    ("1 qid:3 1:x\n", "line 1: feature 1 has the value 'x'"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message[:60] for _, message in WRONG])
@pytest.mark.parametrize("part", ["train", "test"])
def test_wrong_files(tmp_path: Path, part: str, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(f"toy_{part}.svm, {message}")):
        read_libsvm(*write(tmp_path, **{part: text}))


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"toy_test\.svm: no rows; expected lines such as"):
        read_libsvm(*write(tmp_path, test="# nothing\n"))
    with pytest.raises(DatasetError, match=r"toy_train\.svm: no row has a label"):
        read_libsvm(*write(tmp_path, train="1:1\n"))
    path, _ = write(tmp_path)
    with pytest.raises(DatasetError, match="none: cannot read the file: No such file"):
        read_libsvm(path, tmp_path / "none")
