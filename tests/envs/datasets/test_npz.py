"""The .npz format: round trips, and what each damaged file is told."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelchain.envs.datasets import DatasetError, MultilabelDataset, digit_scenes, read_npz, write_npz
from labelchain.envs.datasets.npz import read_npz_features

FILES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_same(a: MultilabelDataset, b: MultilabelDataset) -> None:
    for fact in ("name", "label_names", "feature_names", "image_shape", "zero_based"):
        assert getattr(a, fact) == getattr(b, fact)
    assert a.is_sparse == b.is_sparse
    pairs: list[tuple[Any, Any]] = [(a.features, b.features), (a.labels, b.labels)]
    assert a.annotations.keys() == b.annotations.keys()
    pairs += [(a.annotations[key], b.annotations[key]) for key in a.annotations]
    for first, second in pairs:
        assert first.shape == second.shape
        assert first.dtype == second.dtype
        if sparse.issparse(first):
            for part in ("data", "indices", "indptr"):
                np.testing.assert_array_equal(getattr(first, part), getattr(second, part))
        else:
            np.testing.assert_array_equal(first, second)
    assert list(a.splits) == list(b.splits)
    for split in a.splits:
        np.testing.assert_array_equal(a.rows(split), b.rows(split))


@st.composite
def datasets(draw: st.DrawFn) -> MultilabelDataset:
    num_rows, num_features, num_labels = (
        draw(st.integers(3, 8)),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 5)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    features: Any = rng.normal(size=(num_rows, num_features)).astype(np.float32)
    features[rng.random(features.shape) > draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))] = 0.0
    if draw(st.booleans()):
        features = sparse.csr_array(features)
    labels = rng.random((num_rows, num_labels)) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    rows = rng.permutation(num_rows)
    cuts = sorted(draw(st.lists(st.integers(1, num_rows - 1), min_size=2, max_size=2, unique=True)))
    train, validation, test = np.split(rows, cuts)
    name = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
    printable = st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\")
    dataset = MultilabelDataset.from_arrays(
        draw(st.text(printable, max_size=5)),
        features,
        labels,
        train_rows=train,
        validation_rows=validation,
        test_rows=test,
        label_names=draw(st.lists(name, min_size=num_labels, max_size=num_labels, unique=True)),
        feature_names=draw(st.none() | st.lists(name, min_size=num_features, max_size=num_features)),
        image_shape=draw(st.sampled_from([None, (1, num_features), (num_features, 1)])),
        annotations={
            key: sparse.csr_array(labels.astype(np.int8)) for key in draw(st.sets(name, max_size=2))
        },
    )
    return replace(dataset, zero_based=draw(st.sampled_from([None, False, True])))


@given(dataset=datasets())
@FILES
def test_round_trip_is_the_identity(tmp_path: Path, dataset: MultilabelDataset) -> None:
    path = tmp_path / "set.npz"
    write_npz(dataset, path)
    assert_same(read_npz(path), dataset)


def test_round_trip_of_pictures(tmp_path: Path) -> None:
    write_npz(digit_scenes(), tmp_path / "scenes.npz")
    assert_same(read_npz(tmp_path / "scenes.npz"), digit_scenes())


def arrays(**changes: Any) -> dict[str, Any]:
    """A file of 4 rows, 6 features and 3 labels; ``None`` leaves a key out."""
    valid: dict[str, Any] = {
        "x_data": np.array([1.0, 2.0, 3.0], dtype=np.float32),
        "x_indices": np.array([0, 5, 2], dtype=np.int32),
        "x_indptr": np.array([0, 2, 2, 3, 3]),
        "x_shape": np.array([4, 6]),
        "y_indices": np.array([2, 0, 1], dtype=np.int32),
        "y_indptr": np.array([0, 1, 2, 3, 3]),
        "y_shape": np.array([4, 3]),
        "train_rows": np.array([0, 1]),
        "test_rows": np.array([2, 3]),
    }
    return {key: value for key, value in (valid | changes).items() if value is not None}


def save(folder: Path, contents: dict[str, Any]) -> Path:
    path = folder / "set.npz"
    np.savez(path, **contents)
    return path


def test_names_that_are_numbers_are_kept_as_text(tmp_path: Path) -> None:
    names: Any = {"label_names": [3, 7], "feature_names": np.array([10, 20])}
    rows: Any = {"train_rows": [0, 1], "test_rows": [2]}
    dataset = MultilabelDataset.from_arrays("n", np.ones((3, 2)), np.ones((3, 2), dtype=int), **rows, **names)
    assert (dataset.label_names, dataset.feature_names) == (("3", "7"), ("10", "20"))
    write_npz(dataset, tmp_path / "n.npz")
    assert_same(read_npz(tmp_path / "n.npz"), dataset)


def test_required_keys_are_enough(tmp_path: Path) -> None:
    dataset = read_npz(save(tmp_path, arrays()))
    assert dataset.name == "set"
    assert dataset.is_sparse
    assert dataset.features.toarray().tolist() == [[1, 0, 0, 0, 0, 2], [0] * 6, [0, 0, 3, 0, 0, 0], [0] * 6]
    assert dataset.labels.toarray().tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert [len(dataset.rows(split)) for split in dataset.splits] == [1, 1, 2]
    assert dataset.label_names == ("0", "1", "2")
    assert dataset.feature_names is None
    assert read_npz(tmp_path / "set.npz", name="other").name == "other"


def test_optional_keys(tmp_path: Path) -> None:
    more = {
        "y_names": np.array(["a", "b", "c"]),
        "x_names": np.array(list("uvwxyz")),
        "valid_rows": np.array([3]),
    }
    dataset = read_npz(save(tmp_path, arrays(test_rows=np.array([2]), **more)))
    assert dataset.label_names == ("a", "b", "c")
    assert dataset.feature_names == tuple("uvwxyz")
    assert {split: rows.tolist() for split, rows in dataset.splits.items()} == {
        "train": [0, 1],
        "validation": [3],
        "test": [2],
    }


@pytest.mark.parametrize(("stored", "is_sparse"), [(12, True), (13, False)])
def test_features_are_dense_if_more_than_half_are_stored(
    tmp_path: Path, stored: int, is_sparse: bool
) -> None:
    ends = np.array([0, 6, 12, stored, stored])
    indices = np.concatenate([np.arange(6), np.arange(6), np.arange(stored - 12)])
    contents = arrays(x_data=np.ones(stored), x_indices=indices, x_indptr=ends)
    assert read_npz(save(tmp_path, contents)).is_sparse == is_sparse


def test_whether_features_are_sparse_may_be_said(tmp_path: Path) -> None:
    full = {"x_data": np.ones(24), "x_indices": np.tile(np.arange(6), 4), "x_indptr": np.arange(5) * 6}
    for said, is_sparse in ((True, True), (False, False)):
        assert read_npz(save(tmp_path, arrays(**full, x_sparse=np.array(said)))).is_sparse == is_sparse


def test_labels_may_have_data(tmp_path: Path) -> None:
    data = read_npz(save(tmp_path, arrays(y_data=np.array([1.0, 0.0, 1.0]))))
    assert data.labels.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_features_alone_may_have_other_arrays_beside_them(tmp_path: Path) -> None:
    assert read_npz_features(save(tmp_path, arrays(y_shape=None, mine=np.array(1))))[0].shape == (4, 6)
    with pytest.raises(DatasetError, match=r"set\.npz: unknown keys 'x_name'; rename or remove them"):
        read_npz_features(save(tmp_path, arrays(x_name=np.array(["a"]))))


DAMAGES: list[tuple[dict[str, Any], str]] = [
    ({"x_indptr": None, "y_shape": None}, "missing x_indptr, y_shape; expected the keys x_data, x_indices,"),
    ({"x_data": np.array([None] * 3)}, "x_data is an array of object; expected numbers or text"),
    ({"x_data": np.array(list("abc"))}, "x_data must be 3 numbers, got (3,) of <U1"),
    ({"x_data": np.ones(3, dtype=complex)}, "x_data is an array of complex128; expected numbers or text"),
    ({"x_data": np.ones(2)}, "x_data must be 3 numbers, got (2,) of float64"),
    ({"x_data": np.ones((3, 1))}, "x_data must be 3 numbers, got (3, 1) of float64"),
    ({"x_data": np.array([1, np.nan, 1])}, "must be finite float32 numbers, but row 0 holds NaN"),
    ({"x_data": np.array([1, 1, 1e300])}, "must be finite float32 numbers, but row 2 holds NaN or infinity"),
    ({"x_shape": np.array([4, 6, 1])}, "the shape of x must be two integers, got (3,) of int64"),
    ({"x_shape": np.array([4.0, 6.0])}, "the shape of x must be two integers, got (2,) of float64"),
    ({"x_shape": np.array([2**40, 6])}, "x declares 1,099,511,627,776 rows, but x_indptr has 5 numbers"),
    ({"x_shape": np.array([-1, 6])}, "x declares -1 rows, but x_indptr has 5 numbers"),
    ({"x_shape": np.array([4, 2**40])}, "x declares 1,099,511,627,776 columns; expected 1 to 10,000,000"),
    ({"y_shape": np.array([4, 2**40])}, "y declares 1,099,511,627,776 columns; expected 1 to 10,000,000"),
    ({"y_shape": np.array([4, 0])}, "y declares 0 columns; expected 1 to 10,000,000"),
    ({"y_shape": np.array([4, 2])}, "y_indices must be within 0..1, got 0..2"),
    ({"x_indices": np.array([0, -1, 2])}, "x_indices must be within 0..5, got -1..2"),
    ({"x_indices": np.array([0, 0, 2])}, "x_indices names 1 columns twice in a row"),
    ({"y_indices": np.array([1.0, 0, 1])}, "y_indices must be a row of integers, got shape (3,) of float64"),
    ({"x_indptr": np.array([[0, 2, 2, 3, 3]])}, "x_indptr must be a row of integers, got shape (1, 5)"),
    ({"x_indptr": np.array([0, 2, 2, 3])}, "x declares 4 rows, but x_indptr has 4 numbers"),
    ({"x_indptr": np.array([], dtype=int)}, "x declares 4 rows, but x_indptr has 0 numbers"),
    ({"x_indptr": np.array([0, 3, 2, 3, 3])}, "x_indptr must ascend from 0 to the length of x_indices, 3"),
    ({"x_indptr": np.array([1, 2, 2, 3, 3])}, "x_indptr must ascend from 0"),
    ({"x_indptr": np.array([0, 2, 2, 3, 4])}, "x_indptr must ascend from 0 to the length of x_indices, 3"),
    ({"x_indptr": np.array([0, 2**64 - 1, 2, 3, 3], dtype=np.uint64)}, "x_indptr must ascend from 0"),
    (
        {"y_shape": np.array([3, 3]), "y_indptr": np.array([0, 1, 2, 3])},
        "features have 4 rows but labels have 3",
    ),
    ({"train_rows": np.array([0.0])}, "training split must be a one-dimensional array of row numbers"),
    ({"test_rows": np.array([2, 9])}, "test split has row numbers outside 0..3"),
    ({"valid_rows": np.array([1])}, "splits must be disjoint, but row 1 is in more than one of"),
    ({"y_names": np.array(["a", "b"])}, "expected 3 label names, got 2"),
    ({"y_names": np.array([1, 2, 3])}, "y_names must be a row of text, got shape (3,) of int64"),
    ({"x_names": np.array("abc")}, "x_names must be a row of text, got shape () of <U3"),
    ({"image_shape": np.array([6])}, "image_shape must be a row of 2 integers, got shape (1,) of int64"),
    ({"image_shape": np.array([-2, -3])}, "whose product is the number of features, 6; got (-2, -3)"),
    ({"name": np.array("../../x")}, "a data set cannot be called '../../x'"),
    ({"name": np.array(["a", "b"])}, "name must be a text, got (2,) of <U1"),
    ({"zero_based": np.array(1)}, "zero_based must be True or False, got shape () of int64"),
    ({"x_sparse": np.array(1)}, "x_sparse must be True or False, got shape () of int64"),
    ({"y_data": np.array([1, 2, 1])}, "label values must be 0 or 1, but row 1, label 0 is 2"),
    ({"y_data": np.array([1, 1])}, "y_data must be 3 numbers, got (2,) of int64"),
    (
        {"valid_row": np.array([3]), "foo": np.array(1)},
        "unknown keys 'foo, valid_row'; rename or remove them: exp",
    ),
    ({"annotation_0_data": np.ones(3)}, "unknown keys 'annotation_0_data'; rename or remove them"),
    ({"zero_based": np.array([True])}, "zero_based must be True or False, got shape (1,) of bool"),
    ({"image_shape": np.array([6, 2])}, "whose product is the number of features, 6; got (6, 2)"),
    (
        {"annotation_names": np.array(["blur"])},
        "missing annotation_0_data, annotation_0_indices, annotation_0_indptr",
    ),
]


@pytest.mark.parametrize(("changes", "reason"), DAMAGES, ids=[reason[:50] for _, reason in DAMAGES])
def test_damaged_contents(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = save(tmp_path, arrays(**changes))
    with pytest.raises(DatasetError, match=re.escape(reason)) as caught:
        read_npz(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return pytest.fail, ("was unpickled",)

    with pytest.raises(DatasetError, match=r"extra is an array of object; .*\(objects are never loaded\)"):
        read_npz(save(tmp_path, arrays(extra=np.array([Trap()], dtype=object))))


@pytest.mark.parametrize("content", [b"", b"no zip archive", b"PK\x03\x04" + bytes(40)])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"set\.npz: not an \.npz file, or damaged: File is not a zip file"
    ):
        read_npz(path)


def test_what_is_no_array_is_not_passed_over(tmp_path: Path, dataset: MultilabelDataset) -> None:
    """A wrong byte in the name of an array would leave it out, and nobody would notice."""
    write_npz(dataset, tmp_path / "set.npz")
    content = (tmp_path / "set.npz").read_bytes()
    (tmp_path / "set.npz").write_bytes(content.replace(b"y_names.npy", b"y_names.np9"))
    with pytest.raises(DatasetError, match=r"holds 'y_names\.np9'; expected arrays alone"):
        read_npz(tmp_path / "set.npz")
    (tmp_path / "set.npz").write_bytes(content)
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(tmp_path / "set.npz", "a") as archive,
    ):
        archive.writestr("y_names.npy", archive.read("y_names.npy"))
    with pytest.raises(DatasetError, match="holds two arrays of one name"):
        read_npz(tmp_path / "set.npz")


def test_more_than_the_memory_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, arrays(x_data=np.zeros(100_000)))
    monkeypatch.setattr("labelchain.envs.datasets.npz_archive._memory", lambda: 500_000)
    with pytest.raises(
        DatasetError, match=r"declares 80\d,\d\d\d bytes, more than the memory of this machine"
    ):
        read_npz(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.npz: cannot read the file: No such file"):
        read_npz(tmp_path / "none.npz")
    with pytest.raises(DatasetError, match=r"cannot read the file: Is a directory"):
        read_npz(tmp_path)


def test_truncated_archive(tmp_path: Path) -> None:
    path = save(tmp_path, arrays())
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(DatasetError, match=r"set\.npz: not an \.npz file, or damaged: "):
            read_npz(path)


def header(shape: str, dtype: str = "<f4", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            header("(1000000000000,)"),
            "x_data declares the shape (1000000000000,) of float32, but holds 0 bytes",
        ),
        (header("(-2, -2)") + bytes(16), "x_data declares the shape (-2, -2) of float32, but holds 16 bytes"),
        (header("(3,)") + bytes(11), "x_data declares the shape (3,) of float32, but holds 11 bytes"),
        (header("(1000000000000,)", "<U0"), "x_data is an array of <U0; expected numbers or text"),
        (header("(1,)", "|O"), "x_data is an array of object"),
        (
            header("(1,)", version=b"\x03\x00"),
            "x_data has the .npy version (3, 0); expected (1, 0) or (2, 0)",
        ),
        (header("'three'"), "not an .npz file, or damaged: shape is not valid"),
        (header("(("), "not an .npz file, or damaged: "),
        (b"", "not an .npz file, or damaged: EOF"),
        (b"not a NumPy array", "not an .npz file, or damaged: the magic string is not correct"),
    ],
)
def test_declared_sizes_are_not_trusted(tmp_path: Path, content: bytes, reason: str) -> None:
    path = save(tmp_path, arrays(x_data=None))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_data.npy", content)
    with pytest.raises(DatasetError, match=re.escape(f"{path}: {reason}")):
        read_npz(path)


def test_size_in_the_zip_directory_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    content = header(f"({10**9},)")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_data.npy", content)
    size, declared = (
        len(content).to_bytes(4, "little"),
        (len(content) + 4 * 10**9 % 2**32).to_bytes(4, "little"),
    )
    start = path.read_bytes().index(b"PK\x01\x02")
    directory = path.read_bytes()[start:].replace(size + size, size + declared, 1)
    path.write_bytes(path.read_bytes()[:start] + directory)
    with pytest.raises(
        DatasetError, match=r"x_data declares 4,000,0\d\d,\d{3} bytes, which its compressed size cannot"
    ):
        read_npz(path)


garbage = st.one_of(
    st.lists(st.integers(-2, 9), max_size=6).map(lambda v: np.array(v, dtype=np.int64)),
    st.lists(st.floats(width=32), max_size=6).map(lambda v: np.array(v, dtype=np.float32)),
    st.integers(-(2**63), 2**63 - 1).map(np.array),
    st.lists(st.text(max_size=2), max_size=4).map(lambda v: np.array(v, dtype=np.str_)),
    st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)).map(np.array),
)


@given(
    changes=st.dictionaries(
        st.sampled_from([*arrays(), "valid_rows", "y_names", "image_shape"]), garbage, max_size=2
    )
)
@FILES
def test_any_contents_are_read_or_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = save(tmp_path, arrays(**changes))
    try:
        dataset = read_npz(path)
    except DatasetError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert dataset.features.shape[0] == dataset.labels.shape[0] == 4


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, arrays())
    before = path.read_bytes()
    dataset = read_npz(path)

    def fail(file: io.BufferedWriter, **_: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez_compressed", fail)
        with pytest.raises(DatasetError, match=r"set\.npz: cannot write the file: No space left on device"):
            write_npz(dataset, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["set.npz"]
    write_npz(dataset, path)
    assert path.read_bytes() != before


def test_wrong_destinations(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"set\.zip: expected a file name that ends with \.npz"):
        write_npz(digit_scenes(), tmp_path / "set.zip")
    with pytest.raises(DatasetError, match=r"cannot write the file: No such file or directory"):
        write_npz(digit_scenes(), tmp_path / "none" / "set.npz")
