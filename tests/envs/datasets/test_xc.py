"""The Extreme Classification Repository's text: what is read, and what each wrong file is told."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from labelchain.envs.datasets import DatasetError, load_dataset, read_xc
from labelchain.envs.datasets.feature_rows import feature_rows

TRAIN = "3 4 3\n0,2 0:1 3:0.5\n 1:-2e-1\n1\n"
TEST = "2 4 3\n1,0 2:1.25\n2 0:3 1:0 \n"


def write(folder: Path, train: str = TRAIN, test: str = TEST) -> tuple[Path, Path]:
    (folder / "toy_train.txt").write_text(train)
    (folder / "toy_test.txt").write_text(test)
    return folder / "toy_train.txt", folder / "toy_test.txt"


def test_two_files(tmp_path: Path) -> None:
    data = read_xc(*write(tmp_path))
    assert data.name == "toy"
    rows = [[1, 0, 0, 0.5], [0, -0.2, 0, 0], [0, 0, 0, 0], [0, 0, 1.25, 0], [3, 0, 0, 0]]
    np.testing.assert_array_equal(data.dense_features(np.arange(5)), np.array(rows, dtype=np.float32))
    assert data.features.nnz == 5  # a zero is not stored
    assert data.labels.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert data.label_names == ("0", "1", "2")
    assert data.rows("test").tolist() == [3, 4]
    assert data.is_sparse


def test_one_file_and_split_files(tmp_path: Path) -> None:
    path, _ = write(tmp_path)
    (tmp_path / "tr.txt").write_text("3 1\n1 2\n\n")
    (tmp_path / "tst.txt").write_text("2 3\n")
    data = read_xc(path, train_split=tmp_path / "tr.txt", test_split=tmp_path / "tst.txt", name="x")
    assert data.name == "x"
    assert sorted([*data.rows("train"), *data.rows("validation")]) == [0, 2]
    assert data.rows("test").tolist() == [1]


def test_variations_of_the_text(tmp_path: Path) -> None:
    expected = read_xc(*write(tmp_path))
    for change in (
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n \n",
        lambda text: text.replace(" 3:", "\t3:"),
        lambda text: text.replace("0,2 ", "0,2,0 "),
    ):
        path, test = write(tmp_path, change(TRAIN))
        path.write_bytes(path.read_bytes())
        data = read_xc(path, test)
        np.testing.assert_array_equal(data.labels.toarray(), expected.labels.toarray())
        np.testing.assert_array_equal(data.features.toarray(), expected.features.toarray())


def test_comments_and_blank_lines_before_the_header(tmp_path: Path) -> None:
    """They are passed over where a file is recognised, too; lines are counted with them."""
    expected = read_xc(*write(tmp_path))
    path, test = write(tmp_path, f"# made by hand\n \n\n{TRAIN}")
    data = load_dataset(path, test)
    np.testing.assert_array_equal(data.features.toarray(), expected.features.toarray())
    np.testing.assert_array_equal(data.labels.toarray(), expected.labels.toarray())
    (part,) = feature_rows(path, 4, [], size=9)
    assert part.shape == (3, 4)
    for text, message in (
        (f"#\n{TRAIN}0 0:1\n", "line 2: declares 3 rows, but the file has more"),
        ("#\n\n2 4 3\n0 0:1\n0 0:x\n", "line 5: expected 'feature:number', got '0:x'"),
        ("#\n\n1 4 3\n0 0:1 0:2\n", "line 4: a feature is named twice"),
        ("\n3 0 3\n", "line 2: declares 0 features"),
        ("#\n", "line 2: expected 'rows features labels', got ''"),
    ):
        with pytest.raises(DatasetError, match=re.escape(f"toy_train.txt, {message}")):
            read_xc(*write(tmp_path, text))


WRONG = [
    ("", "line 1: expected 'rows features labels', got ''"),
    ("3 4\n0 0:1\n", "line 1: expected 'rows features labels', got '3 4'"),
    ("-3 4 2\n", "line 1: expected 'rows features labels', got '-3 4 2'"),
    ("0 4 3\n", "line 1: declares no rows"),
    ("3 0 3\n", "line 1: declares 0 features; expected 1 to 10,000,000"),
    ("3 4 99999999999\n0 0:1\n", "line 1: declares 99,999,999,999 labels; expected 1 to"),
    ("4 4 3" + TRAIN[5:], "line 1: declares 4 rows, but the file has 3; is the file cut short?"),
    ("2 4 3" + TRAIN[5:], "line 1: declares 2 rows, but the file has more"),
    ("1 4 3\n3 0:1\n", "line 2: label 3 is out of range: labels are numbered 0..2"),
    ("1 4 3\n99999999999999999999999 0:1\n", "line 2: label 99999999999999999999 is out of range"),
    ("2 4 3\n0 0:1\n0 4:1\n", "line 3: feature 4 is out of range: features are numbered 0..3"),
    ("1 4 3\n0 99999999999:1\n", "line 2: feature 99999999999 is out of range"),
    ("1 4 3\n0 0:1 0:2\n", "line 2: a feature is named twice"),
    ("1 4 3\n0 0:nan\n", "line 2: expected 'feature:number', got '0:nan'"),
    ("1 4 3\n0 0:inf\n", "line 2: expected 'feature:number', got '0:inf'"),
    ("1 4 3\n0 0:1e39\n", "line 2: feature 0 has the value 1e39, too large for float32"),
    ("1 4 3\n0 0:1e999\n", "line 2: feature 0 has the value 1e999, too large for float32"),
    ("1 4 3\n0 0:1e\n", "line 2: feature 0 has the value '1e'; expected a number"),
    ("1 4 3\n0 0:1_0\n", "line 2: expected 'feature:number', got '0:1_0'"),
    ("1 4 3\n0 -1:1\n", "line 2: expected 'feature:number', got '-1:1'"),
    ("1 4 3\n0 1:2:3 4\n", "line 2: expected 'feature:number', got '1:2:3'"),
    ("1 4 3\n0 1 2\n", "line 2: expected 'feature:number', got '1'"),
    ("1 4 3\na 0:1\n", "line 2: expected labels such as 3,17 before the first blank, got 'a'"),
    ("1 4 3\n0:1 1:1\n", "line 2: expected labels such as 3,17 before the first blank, got '0:1'"),
    ("1 4 3\n0,,1 0:1\n", "line 2: expected labels such as 3,17 before the first blank, got '0,,1'"),
    ("1 4 3\n\u0663 0:1\n", "line 2: expected labels such as 3,17 before the first blank"),
    ("1 4 3\n0 0:1 \0\n", "line 2: expected 'feature:number'"),
]


@pytest.mark.parametrize(("train", "message"), WRONG, ids=[message[:50] for _, message in WRONG])
def test_wrong_files(tmp_path: Path, train: str, message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(f"toy_train.txt, {message}")):
        read_xc(*write(tmp_path, train))


def test_the_line_of_an_error_far_into_the_file(tmp_path: Path) -> None:
    rows = ["0 0:1"] * 10000
    rows[9000] = "0 0:x"
    with pytest.raises(
        DatasetError, match=r"toy_train\.txt, line 9002: expected 'feature:number', got '0:x'"
    ):
        read_xc(*write(tmp_path, "10000 4 3\n" + "\n".join(rows)))
    rows[9000] = "0 1:1 1:1"
    with pytest.raises(DatasetError, match=r"toy_train\.txt, line 9002: a feature is named twice"):
        read_xc(*write(tmp_path, "10000 4 3\n" + "\n".join(rows)))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path, test = write(tmp_path)
    path.write_bytes(b"1 4 3\n0 0:1\xff\xfe\n")
    with pytest.raises(DatasetError, match="line 2: expected 'feature:number'"):
        read_xc(path, test)


def test_memory_is_taken_for_what_is_there_not_for_what_is_declared(tmp_path: Path) -> None:
    path, test = write(tmp_path, "999999999999999 10000000 10000000\n0 0:1\n")
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="declares 999,999,999,999,999 rows, but the file has 1"):
            read_xc(path, test)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_files_that_do_not_agree_or_are_missing(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"toy_test\.txt, line 1: declares 5 features, but .*_train\.txt declares 4"
    ):
        read_xc(*write(tmp_path, test="1 5 3\n0 0:1\n"))
    path, test = write(tmp_path)
    for arguments in ({}, {"test": test, "train_split": path}):
        with pytest.raises(DatasetError, match="expected either a test file or a train_split and"):
            read_xc(path, **arguments)
    with pytest.raises(DatasetError, match="expected both split files, got one"):
        read_xc(path, train_split=path)
    with pytest.raises(DatasetError, match=r"none: cannot read the file: No such file"):
        read_xc(path, tmp_path / "none")
    with pytest.raises(DatasetError, match="cannot read the file: Is a directory"):
        read_xc(tmp_path, test)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("", "tr.txt: no row numbers"),
        ("0\n", "tr.txt, line 1: row 0 is out of range: rows are numbered 1..3"),
        ("1\n4\n", "tr.txt, line 2: row 4 is out of range"),
        ("1 2\n2\n", "tr.txt, line 2: expected 2 row numbers, got '2'"),
        ("x\n", "tr.txt, line 1: expected 1 row numbers, got 'x'"),
        ("99999999999999999999\n", "tr.txt, line 1: row 999999999999999999 is out of range"),
        ("1\n1\n", "training split names 1 rows twice"),
        ("1\n3\n", "row 2 is in more than one of train"),
    ],
)
def test_wrong_split_files(tmp_path: Path, split: str, message: str) -> None:
    path, _ = write(tmp_path)
    (tmp_path / "tr.txt").write_text(split)
    (tmp_path / "tst.txt").write_text("3\n")
    with pytest.raises(DatasetError, match=re.escape(message)):
        read_xc(path, train_split=tmp_path / "tr.txt", test_split=tmp_path / "tst.txt")
