"""The public sets themselves: published statistics, and equality with the same sets as ``.npz``."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from labelchain.envs.datasets import (
    CATALOGUE,
    CatalogueEntry,
    MultilabelDataset,
    dataset_names,
    load_dataset,
    read_mulan,
    read_npz,
    write_npz,
)
from labelchain.envs.datasets.places import find_files

MULAN = [entry for entry in CATALOGUE.values() if entry.folder is not None]
SPARSE = {"bibtex", "corel5k", "delicious", "enron", "medical", "tmc2007-500"}
WITHOUT_LABELS = {"birds": 294, "delicious": 14}

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("data_folder")]


def root() -> Path:
    return Path(os.environ["LABELCHAIN_DATA"])


def load(entry: CatalogueEntry) -> MultilabelDataset:
    path = find_files(entry.name)
    if path is None or not path.is_dir():
        pytest.skip(f"{root()} has no Mulan folder of {entry.name}")
    return load_dataset(entry.name)  # checks the published statistics


@pytest.mark.parametrize("entry", MULAN, ids=lambda entry: entry.name)
def test_published_statistics(entry: CatalogueEntry) -> None:
    dataset = load(entry)
    assert dataset.name == entry.name
    assert dataset.is_sparse == (entry.name in SPARSE)
    assert dataset.feature_names is not None
    assert len(dataset.feature_names) == dataset.num_features
    assert (np.diff(dataset.labels.indptr) == 0).sum() == WITHOUT_LABELS.get(entry.name, 0)
    assert dataset.rows("test").tolist() == list(range(entry.num_train, entry.num_train + entry.num_test))
    assert load_dataset(entry.name) is dataset
    assert load_dataset(root() / "mulan" / str(entry.folder)).num_labels == entry.num_labels


@pytest.mark.parametrize("entry", MULAN, ids=lambda entry: entry.name)
def test_mulan_and_npz_agree(entry: CatalogueEntry) -> None:
    """Bit for bit, rows and columns in the same order; only storage, names and validation may differ."""
    dataset = load(entry)
    path = root() / f"{entry.name.replace('-', '_')}.npz"
    if not path.is_file():
        pytest.skip(f"there is no {path.name} to compare with")
    other = read_npz(path)
    rows = np.arange(entry.num_train + entry.num_test)
    np.testing.assert_array_equal(dataset.dense_features(rows), other.dense_features(rows))
    np.testing.assert_array_equal(dataset.labels.indptr, other.labels.indptr)
    np.testing.assert_array_equal(dataset.labels.indices, other.labels.indices)
    for split in dataset.splits:
        np.testing.assert_array_equal(dataset.rows(split), other.rows(split))
    # One-hot columns make flags sparse enough that the .npz reader keeps CSR; the ARFF rows are dense.
    assert dataset.is_sparse == (other.is_sparse and entry.name != "flags")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("birds", ("Brown Creeper", "Pacific Wren", "Pacific-slope Flycatcher")),
        ("delicious", ("TAG_.imported", "TAG_.net", "TAG_2.0", "TAG_2007", "TAG_3d", "TAG_??")),
        ("yeast", ("Class1", "Class2", "Class3", "Class6")),
    ],
)
def test_names_of_labels(name: str, labels: tuple[str, ...]) -> None:
    assert load(CATALOGUE[name]).label_names[: len(labels)] == labels


def test_quoted_and_odd_names() -> None:
    assert {"Stellar's Jay", "Hammond's Flycatcher"} <= set(load(CATALOGUE["birds"]).label_names)
    assert {"TAG_dise?o", r"TAG_dise\~no", r"TAG_m\'usica"} <= set(load(CATALOGUE["delicious"]).label_names)


def test_one_hot_columns_of_flags() -> None:
    names = load(CATALOGUE["flags"]).feature_names
    assert names is not None
    assert names[:11] == (
        *(f"landmass={i}" for i in range(1, 7)),
        *(f"zone={i}" for i in range(1, 5)),
        "area",
    )
    assert names[-2:] == ("animate", "text")


@pytest.mark.parametrize("name", ["bibtex", "delicious"])
def test_large_sets_are_read_in_a_few_seconds(name: str) -> None:
    load(CATALOGUE[name])
    start = time.process_time()
    read_mulan(root() / "mulan" / name)
    assert time.process_time() - start < 5  # about 0.3 s on one core


def test_names_in_the_data_folder() -> None:
    names = dataset_names()
    for path in root().glob("*.npz"):
        assert any(
            here and name.replace("-", "_") == path.stem.lower().replace("-", "_")
            for name, here in names.items()
        )


def test_large_npz_round_trip(tmp_path: Path) -> None:
    if find_files("eurlex57k_5k") is None:
        pytest.skip("there is no eurlex57k_5k.npz")
    dataset = load_dataset("eurlex57k-5k")
    assert dataset is load_dataset("eurlex57k_5k")
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {
        "train": 45000,
        "validation": 6000,
        "test": 6000,
    }
    assert (dataset.num_features, dataset.num_labels) == (5000, 4271)
    assert dataset.cardinality() == pytest.approx(5.069, abs=5e-4)
    small = MultilabelDataset.from_arrays(
        "part",
        dataset.features[:3000],
        dataset.labels[:3000],
        train_rows=np.arange(2000),
        test_rows=np.arange(2000, 3000),
        label_names=dataset.label_names,
    )
    write_npz(small, tmp_path / "part.npz")
    again = read_npz(tmp_path / "part.npz")
    assert (abs(again.features - small.features)).nnz == 0
    assert (again.labels != small.labels).nnz == 0
    assert again.label_names == small.label_names
