"""One random data set, written in every format, reads back to the same matrices; and how formats are told."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelchain.envs.datasets import DatasetError, MultilabelDataset, load_dataset, source_name, write_npz
from labelchain.envs.datasets.feature_rows import feature_rows
from labelchain.envs.datasets.formats import recognise, recognise_files
from labelchain.envs.datasets.parts import name_of, split_role

Paths = tuple[Path, Path | None]


def number(value: Any) -> str:
    return repr(float(value))  # float32 as float64: exact


def header(data: MultilabelDataset, relation: str, labels_first: bool) -> str:
    features = [f"@attribute f{i} numeric\n" for i in range(data.num_features)]
    labels = [f"@attribute '{name}' {{0,1}}\n" for name in data.label_names]
    columns = labels + features if labels_first else features + labels
    return f"@relation '{relation}'\n{''.join(columns)}@data\n"


def arff_rows(data: MultilabelDataset, rows: Any, labels_first: bool, is_sparse: bool) -> str:
    lines = []
    for row in rows:
        x = [number(value) for value in data.dense_features(np.array([row]))[0]]
        y = [str(int(value)) for value in data.dense_labels(np.array([row]))[0]]
        values = y + x if labels_first else x + y
        if is_sparse:
            body = ",".join(f"{i} {v}" for i, v in enumerate(values) if float(v) != 0)
            lines.append(f"{{{body}}}\n")
        else:
            lines.append(",".join(values) + "\n")
    return "".join(lines)


def train_rows(data: MultilabelDataset) -> Any:
    return np.sort(np.concatenate([data.rows("train"), data.rows("validation")]))


def both(data: MultilabelDataset) -> list[tuple[str, Any]]:
    return [("train", train_rows(data)), ("test", data.rows("test"))]


def text_row(data: MultilabelDataset, row: int, first: int = 0) -> str:
    labels = np.flatnonzero(data.dense_labels(np.array([row]))[0])
    x = data.dense_features(np.array([row]))[0]
    pairs = " ".join(f"{i + first}:{number(x[i])}" for i in np.flatnonzero(x))
    return f"{','.join(map(str, labels))} {pairs}\n"


def as_npz(data: MultilabelDataset, folder: Path) -> Paths:
    write_npz(data, folder / "data.npz")
    return folder / "data.npz", None


def as_mulan(is_sparse: bool, labels_first: bool) -> Callable[[MultilabelDataset, Path], Paths]:
    def write(data: MultilabelDataset, folder: Path) -> Paths:
        for part, rows in both(data):
            text = header(data, "r", labels_first) + arff_rows(data, rows, labels_first, is_sparse)
            (folder / f"r-{part}.arff").write_text(text)
        names = "".join(f'<label name="{name}"/>' for name in data.label_names)
        (folder / "r.xml").write_text(f"<labels>{names}</labels>")
        return folder, None

    return write


def as_meka(is_sparse: bool, labels_first: bool, one: bool) -> Callable[[MultilabelDataset, Path], Paths]:
    def write(data: MultilabelDataset, folder: Path) -> Paths:
        count = data.num_labels if labels_first else -data.num_labels
        parts = both(data)
        if one:
            parts = [("all", np.concatenate([rows for _, rows in parts]))]
        for part, rows in parts:
            split = f" -split-number {len(train_rows(data))}" if one else ""
            text = header(data, f"r: -C {count}{split}", labels_first)
            (folder / f"r-{part}.arff").write_text(text + arff_rows(data, rows, labels_first, is_sparse))
        return (folder / "r-all.arff", None) if one else (folder / "r-train.arff", folder / "r-test.arff")

    return write


def as_xc(data: MultilabelDataset, folder: Path) -> Paths:
    for part, rows in both(data):
        head = f"{len(rows)} {data.num_features} {data.num_labels}\n"
        (folder / f"{part}.txt").write_text(head + "".join(text_row(data, row) for row in rows))
    return folder / "train.txt", folder / "test.txt"


def as_xc_splits(data: MultilabelDataset, folder: Path) -> Paths:
    """The rows in another order, with split files of three columns, each of which looks like a header."""
    num_rows = data.labels.shape[0]
    head = f"{num_rows} {data.num_features} {data.num_labels}\n"
    order = np.arange(num_rows)
    (folder / "set_data.txt").write_text(head + "".join(text_row(data, row) for row in order))
    for name, (_, rows) in zip(("tr", "tst"), both(data), strict=True):
        (folder / f"set_{name}Split.txt").write_text(
            "".join(f"{row + 1} {num_rows - row} 7\n" for row in rows)
        )
    return folder / "set_data.txt", None


def as_libsvm(first: int) -> Callable[[MultilabelDataset, Path], Paths]:
    def write(data: MultilabelDataset, folder: Path) -> Paths:
        for part, rows in both(data):
            text = "".join(text_row(data, row, first) for row in rows)
            (folder / f"{part}.svm").write_text(f"# {part}\n{text}")
        return folder / "train.svm", folder / "test.svm"

    return write


WRITERS: dict[str, Callable[[MultilabelDataset, Path], Paths]] = {
    "npz": as_npz,
    "mulan-dense": as_mulan(False, False),
    "mulan-sparse": as_mulan(True, True),
    "meka-dense": as_meka(False, True, False),
    "meka-sparse": as_meka(True, False, False),
    "meka-one-file": as_meka(False, False, True),
    "meka-one-sparse-file": as_meka(True, True, True),
    "xc": as_xc,
    "xc-splits": as_xc_splits,
    "libsvm-from-0": as_libsvm(0),
    "libsvm-from-1": as_libsvm(1),
}


@st.composite
def data_sets(draw: st.DrawFn) -> MultilabelDataset:
    """Training rows first. Every label and feature occurs in each half, as LIBSVM cannot tell otherwise."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_train, num_test = draw(st.integers(2, 12)), draw(st.integers(1, 8))
    num_features, num_labels = draw(st.integers(1, 9)), draw(st.integers(1, 7))
    shape = (num_train + num_test, num_features)
    scale = np.float32(10.0 ** draw(st.integers(-20, 20)))
    features = np.where(rng.random(shape) < 0.5, rng.normal(size=shape).astype(np.float32) * scale, 0)
    labels = rng.random((shape[0], num_labels)) < 0.4
    for row in (0, num_train):
        features[row] = 1.0 + np.arange(num_features)
        labels[row] = True
    return MultilabelDataset.from_arrays(
        "set",
        features.astype(np.float32),
        labels,
        train_rows=np.arange(num_train),
        test_rows=np.arange(num_train, shape[0]),
        label_names=[str(i) for i in range(num_labels)],
    )


@pytest.mark.parametrize("name", WRITERS)
@given(data=data_sets())
@settings(max_examples=25)
def test_every_format_reads_back_to_the_same_matrices(name: str, data: MultilabelDataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, test = WRITERS[name](data, Path(folder))
        for loaded in (load_dataset(path, test), load_dataset(source_name(path, test))):
            rows = np.arange(data.labels.shape[0])
            np.testing.assert_array_equal(loaded.dense_features(rows), data.features)
            np.testing.assert_array_equal(loaded.labels.toarray(), data.labels.toarray())
            assert loaded.label_names == data.label_names
            for split, expected in data.splits.items():
                np.testing.assert_array_equal(loaded.rows(split), expected)


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_with_the_files_of_one_set_is_recognised(name: str, tmp_path: Path, dataset: Any) -> None:
    data = MultilabelDataset.from_arrays(
        "set", dataset.features, dataset.labels, train_rows=np.arange(40), test_rows=np.arange(40, 60)
    )
    folder = tmp_path / "some-set"
    folder.mkdir()
    path, test = WRITERS[name](data, folder)
    by_folder = load_dataset(folder)
    by_path = load_dataset(path, test)
    np.testing.assert_array_equal(by_folder.labels.toarray(), by_path.labels.toarray())
    assert by_folder.name == "some-set"
    files = sorted(file for file in folder.iterdir())
    assert set(recognise_files(files[::-1]).files) == set(recognise(folder).files)


def test_a_damaged_file_never_raises_anything_but_a_dataset_error(tmp_path: Path, dataset: Any) -> None:
    data = MultilabelDataset.from_arrays(
        "set", dataset.features, dataset.labels, train_rows=np.arange(40), test_rows=np.arange(40, 60)
    )
    rng = np.random.default_rng(0)
    refused = 0
    for name, writer in WRITERS.items():
        folder = tmp_path / name
        folder.mkdir()
        path, test = writer(data, folder)
        for file in sorted(folder.iterdir()):
            content = file.read_bytes()
            for round_ in range(12):
                damaged = bytearray(content)
                place = int(rng.integers(len(content)))
                match round_ % 4:
                    case 0:
                        del damaged[place:]
                    case 1:
                        damaged[place] = int(rng.integers(256))
                    case 2:
                        damaged[place:place] = bytes(rng.choice(list(b"0123456789:,. -{}?'\n"), size=4))
                    case _:
                        del damaged[place : place + 3]
                file.write_bytes(damaged)
                try:
                    load_dataset(path, test)
                except DatasetError as error:
                    refused += 1
                    assert str(folder) in str(error)
            file.write_bytes(content)
    assert refused > 100


def test_two_paths_become_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Any) -> None:
    data = MultilabelDataset.from_arrays(
        "set", dataset.features, dataset.labels, train_rows=np.arange(40), test_rows=np.arange(40, 60)
    )
    as_xc(data, tmp_path)
    monkeypatch.chdir(tmp_path)
    name = source_name("train.txt", "test.txt")
    assert json.loads(name) == [str(tmp_path / "train.txt"), str(tmp_path / "test.txt")]
    assert source_name(name) == name
    loaded = load_dataset("train.txt", test="test.txt")
    assert loaded.name == tmp_path.name
    monkeypatch.chdir("/")
    assert load_dataset(name) is loaded
    assert source_name("digit-scenes") == "digit-scenes"
    assert source_name("openml:41473") == "openml:41473"
    assert source_name("unknown") == "unknown"
    assert source_name(tmp_path / "train.txt") == str(tmp_path / "train.txt")


@pytest.mark.parametrize("text", ["[", "[1, 2]", '["one"]', "[x]"])
def test_what_is_no_list_of_two_paths_is_a_name(text: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(f"unknown data set {text!r}")):
        load_dataset(text)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "a_data.txt").write_text("2 1 1\n0 0:1\n 0:1\n")
    (tmp_path / "b.svm").write_text("1 1:1\n")
    with pytest.raises(
        DatasetError, match=r"a_data\.txt: expected a test file too: give it by --test FILE .*"
    ):
        load_dataset(tmp_path / "a_data.txt")
    with pytest.raises(DatasetError, match=r"b\.svm: expected a test file too"):
        load_dataset(tmp_path / "b.svm")
    with pytest.raises(DatasetError, match=r"no such file or folder: .*none"):
        load_dataset(tmp_path / "b.svm", tmp_path / "none")
    with pytest.raises(DatasetError, match="leave the test file out"):
        load_dataset(tmp_path, tmp_path / "b.svm")
    with pytest.raises(DatasetError, match=r"expected a training and a test file, .*got a_data\.txt, b\.svm"):
        load_dataset(tmp_path)
    (tmp_path / "a.arff").write_text("@relation r\n@attribute x numeric\n@data\n1\n")
    with pytest.raises(DatasetError, match=r"one \.xml file beside it .*or '-C N' in the relation's name"):
        load_dataset(tmp_path / "a.arff", tmp_path / "a.arff")
    for name in ("one.svm", "two.svm"):
        (tmp_path / name).write_text("1 1:1\n")
    with pytest.raises(DatasetError, match=r"cannot tell training from test rows by the names one\.svm, two"):
        recognise_files([tmp_path / "one.svm", tmp_path / "two.svm"])
    with pytest.raises(DatasetError, match=r"expected two \.arff files and one \.xml"):
        recognise_files([tmp_path / "one.svm", tmp_path / "a.arff"])
    (tmp_path / "x.txt").write_bytes(b"\x7fELF\0\0")
    with pytest.raises(DatasetError, match=r"x\.txt: not a known format"):
        load_dataset(tmp_path / "x.txt")


def test_no_arff_file_is_taken_for_another(tmp_path: Path, dataset: Any) -> None:
    as_mulan(False, False)(dataset, tmp_path)
    for name in ("r.arff", "mine.arff"):
        (tmp_path / name).write_bytes((tmp_path / "r-train.arff").read_bytes())
    for name in ("r.arff", "mine.arff", "r-test.arff"):
        with pytest.raises(
            DatasetError, match=rf"/{name}: expected .* such as r-train\.arff, .* r-test\.arff"
        ):
            load_dataset(tmp_path / name)
    assert load_dataset(tmp_path / "r-train.arff") is load_dataset(tmp_path)
    assert load_dataset(tmp_path / "mine.arff", tmp_path / "r-test.arff").name == "mine"


def test_two_meka_files_need_no_xml_and_read_none(tmp_path: Path, dataset: Any) -> None:
    paths = as_meka(False, True, False)(dataset, tmp_path)
    before = load_dataset(*paths)
    (tmp_path / "pom.xml").write_text("<project/>")
    assert load_dataset(*paths) is before


@pytest.mark.parametrize("first", ["1,2", "1 qid:3", "1 qid:3 1:0.5", "qid:3 1:0.5", "# 1:1 x", " ", "1 #"])
def test_the_first_row_of_libsvm_may_lack_features_or_name_a_query(tmp_path: Path, first: str) -> None:
    for name in ("train.svm", "test.svm"):
        (tmp_path / name).write_text(f"{first}\n1 1:0.5\n2 2:1\n")
    data = load_dataset(tmp_path)
    assert data.num_features == 2
    assert load_dataset(tmp_path / "train.svm", tmp_path / "test.svm").fingerprint == data.fingerprint
    parts = list(feature_rows(tmp_path / "test.svm", 2, data.label_names, size=9))
    np.testing.assert_array_equal(parts[0].toarray(), data.dense_features(data.rows("test")))


def test_numbers_alone_are_not_taken_for_labels(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2,3\n4,5,6\n")
    with pytest.raises(DatasetError, match=r"x\.csv: not a known format"):
        load_dataset(tmp_path / "x.csv", tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/d/eurlex_train.txt", "eurlex"),
        ("/d/train.txt", "d"),
        ("/d/Mediamill_data.txt", "Mediamill"),
        ("/d/bibtex-train.arff", "bibtex"),
        ("/d/rcv1_topics_train.svm.txt", "rcv1_topics"),
        ("/d/trained.txt", "trained"),
        ("/d/corel5k-train-sparse.arff", "corel5k-sparse"),
    ],
)
def test_names_from_files(path: str, name: str) -> None:
    assert name_of(Path(path)) == name


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("train.txt", "train"),
        ("bibtex_trSplit.txt", "train"),
        ("bibtex_tstSplit.txt", "test"),
        ("trn_X_Y.txt", "train"),
        ("tst_X_Y.txt", "test"),
        ("ts.txt", "test"),
        ("data.txt", None),
        ("strings.txt", None),
        ("contest-train.arff", "train"),
        ("contest-test.arff", "test"),
        ("latest_train.txt", "train"),
        ("contestTrain.txt", "train"),
        ("contest.txt", "test"),
        ("mytrain.txt", "train"),
        ("train-test.arff", "test"),
    ],
)
def test_roles_from_files(path: str, role: str | None) -> None:
    assert split_role(Path(path)) == role


def test_sparse_features_stay_sparse(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("2 1000000 3\n0 5:1\n1 999999:2\n")
    (tmp_path / "test.txt").write_text("1 1000000 3\n2 0:3\n")
    data = load_dataset(tmp_path / "train.txt", tmp_path / "test.txt")
    assert sparse.issparse(data.features)
    assert data.features.shape == (3, 1000000)
