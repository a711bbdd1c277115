"""Adding, verifying and removing data sets that have a name."""

from __future__ import annotations

import errno
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelchain.envs.datasets import (
    CATALOGUE,
    CatalogueEntry,
    DatasetError,
    UnknownDatasetError,
    add_dataset,
    dataset_names,
    load_dataset,
    verify_dataset,
    write_npz,
)
from labelchain.envs.datasets.entries import DataFile
from labelchain.envs.datasets.storage import files_to_remove, remove_files, sha256

HEADER = "@relation toy\n@attribute x numeric\n@attribute y {0,1}\n@data\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, empty."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("LABELCHAIN_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder with the user's files in each format."""
    folder = tmp_path / "mine"
    folder.mkdir()
    xc = "0 0:1\n 1:2\n"
    (folder / "x_train.txt").write_text(f"2 2 1\n{xc}")
    (folder / "x_test.txt").write_text("1 2 1\n0 0:1\n")
    (folder / "all.txt").write_text(f"3 2 1\n{xc}0 0:5\n")
    (folder / "tr_split.txt").write_text("1\n2\n")
    (folder / "tst_split.txt").write_text("3\n")
    (folder / "s_train.svm").write_text("1 1:1\n2 2:1\n")
    (folder / "s_test.svm").write_text("1 1:1\n")
    (folder / "m-train.arff").write_text(f"{HEADER}1,1\n2,0\n")
    (folder / "m-test.arff").write_text(f"{HEADER}1,1\n")
    (folder / "m.xml").write_text('<labels><label name="y"/></labels>')
    meka = HEADER.replace("relation toy", "relation 'toy: -C -1 -split-number 2'")
    (folder / "meka.arff").write_text(f"{meka}1,1\n2,0\n3,1\n")
    return folder


FORMATS = {
    "xc": ("x_train.txt", "x_test.txt"),
    "xc-splits": ("tst_split.txt", "all.txt", "tr_split.txt"),
    "libsvm": ("s_test.svm", "s_train.svm"),
    "mulan": ("m-test.arff", "m.xml", "m-train.arff"),
    "meka": ("meka.arff",),
}


def left(data: Path) -> set[str]:
    return {str(path.relative_to(data)) for path in data.rglob("*")}


@pytest.mark.parametrize("name", FORMATS)
def test_own_data_get_a_name_and_lose_it(data: Path, mine: Path, name: str) -> None:
    folder = add_dataset("My_Set", [mine / file for file in FORMATS[name]])
    assert folder == data / "my-set"
    loaded = load_dataset("my-set")
    assert loaded.labels.shape[0] == 3
    assert loaded.rows("test").tolist() == [2]
    assert loaded.name == "my-set"
    assert dataset_names()["my-set"]
    assert verify_dataset("my-set") == {"content": "ok"}
    with pytest.raises(DatasetError, match=r"my-set is here already: .*labelchain datasets rm my-set"):
        add_dataset("my-set", [mine / file for file in FORMATS[name]])
    files = files_to_remove("my-set")
    assert len(files) == len(FORMATS[name])
    remove_files(files)
    assert left(data) == set()
    assert "my-set" not in dataset_names()


def test_an_npz_file_can_be_added(data: Path, tmp_path: Path, dataset: Any) -> None:
    write_npz(dataset, tmp_path / "any.npz")
    add_dataset("any", [tmp_path / "any.npz"])
    assert load_dataset("any").name == "any"  # as all sets that are kept; in the file it is "random"
    remove_files(files_to_remove("any"))
    assert left(data) == set()


@pytest.fixture
def published(mine: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    """The Mulan files, as a set of the catalogue with other names."""
    given = {"toy-train.arff": "m-train.arff", "toy-test.arff": "m-test.arff", "toy.xml": "m.xml"}
    files = tuple(
        DataFile(name, (mine / file).stat().st_size, sha256(mine / file)) for name, file in given.items()
    )
    entry = CatalogueEntry(
        *("toy", "a toy", 2, 1, 1, 1, 0.667, "Nobody, 2024"),
        folder="toys",
        kind="mulan",
        source="https://example.org/",
        downloads=files,
    )
    monkeypatch.setitem(CATALOGUE, "toy", entry)
    return entry


def test_published_files_are_told_by_their_checksums(
    data: Path, mine: Path, published: CatalogueEntry
) -> None:
    for order in (("m.xml", "m-train.arff", "m-test.arff"), ("m-test.arff", "m.xml", "m-train.arff")):
        folder = add_dataset("toy", [mine / file for file in order])
        assert folder == data / "mulan" / "toys"
        assert load_dataset("toy").num_labels == 1
        assert set(verify_dataset("toy").values()) == {"ok"}
        remove_files(files_to_remove("toy"))
    (mine / "m.xml").write_text('<labels><label name="x"/></labels>')
    with pytest.raises(
        DatasetError,
        match=r"not the published files of toy, .*missing toy\.xml; not recognised: m\.xml\. Get them from",
    ):
        add_dataset("toy", [mine / "m.xml", mine / "m-train.arff", mine / "m-test.arff"])
    assert not any((data / "mulan").iterdir())


def test_what_a_stopped_download_left_is_completed(data: Path, mine: Path, published: CatalogueEntry) -> None:
    folder = data / "mulan" / "toys"
    folder.mkdir(parents=True)
    shutil.copy(mine / "m-train.arff", folder / "toy-train.arff")
    add_dataset("toy", [mine / "m.xml", mine / "m-train.arff", mine / "m-test.arff"])
    assert load_dataset("toy").num_labels == 1
    assert left(data) >= {"mulan/toys/toy.xml", "mulan/toys/toy-test.arff"}
    assert not [name for name in left(data) if name.startswith("mulan/.")]


def test_sets_without_published_files_must_have_their_statistics(
    data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [mine / "x_train.txt", mine / "x_test.txt"]
    with pytest.raises(
        DatasetError,
        match=r"x_train\.txt: these are not the published data of eurlex-4k: 2 training rows .*, not 15,539;",
    ):
        add_dataset("eurlex-4k", files)
    assert left(data) == set()
    small = replace(CATALOGUE["eurlex-4k"], num_train=2, num_test=1, num_features=2, num_labels=1)
    monkeypatch.setitem(CATALOGUE, "eurlex-4k", small)
    add_dataset("EURLex_4K", files)
    assert load_dataset("eurlex-4k").name == "eurlex-4k"
    assert verify_dataset("eurlex-4k") == {"statistics": "ok"}
    assert dataset_names()["eurlex-4k"]
    remove_files(files_to_remove("eurlex-4k"))
    assert left(data) == set()


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("toy", ("none.txt",), "no such file: "),
        ("toy", (), "expected the files of one data set, each once"),
        ("toy", ("all.txt", "all.txt"), "expected the files of one data set, each once"),
        ("digit-scenes", ("meka.arff",), "digit-scenes is built in; give your data another name"),
        ("../toy", ("meka.arff",), "a data set cannot be called '../toy'; expected letters"),
        (".toy", ("meka.arff",), "a data set cannot be called '.toy'"),
        ("", ("meka.arff",), "a data set cannot be called ''"),
        ("my.DAT", ("meka.arff",), "a data set cannot be called 'my.DAT', as a file could"),
        ("my.npz", ("meka.arff",), "a data set cannot be called 'my.npz', as a file could"),
        ("Mulan", ("meka.arff",), "Mulan is a folder of known sets; give your data another name"),
        ("tmc2007", ("meka.arff",), "tmc2007 is a folder of known sets; give your data another name"),
        ("toy", ("all.txt", "x_train.txt", "x_test.txt"), "expected a training and a test file, or"),
    ],
)
def test_what_cannot_be_added(
    data: Path, mine: Path, name: str, files: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)):
        add_dataset(name, [mine / file for file in files])
    assert left(data) == set()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_added(data: Path, mine: Path) -> None:
    os.mkfifo(mine / "pipe.arff")
    with pytest.raises(DatasetError, match=r"pipe\.arff: is a pipe"):
        add_dataset("toy", [mine / "pipe.arff"])


def test_a_damaged_file_is_not_added(data: Path, mine: Path) -> None:
    (mine / "x_test.txt").write_text("1 2 1\n0 0:x\n")
    with pytest.raises(DatasetError, match=r"x_test\.txt, line 2: expected 'feature:number'"):
        add_dataset("toy", [mine / "x_train.txt", mine / "x_test.txt"])
    assert left(data) == set()


def test_a_full_disk(data: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(source: Path, target: Path) -> None:
        target.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(DatasetError, match=r"cannot write to .*toy: the disk is full; nothing was left half"):
        add_dataset("toy", [mine / "meka.arff"])
    assert left(data) == set()


def test_verify_says_what_is_wrong(data: Path, mine: Path, published: CatalogueEntry) -> None:
    folder = add_dataset("toy", [mine / "m.xml", mine / "m-train.arff", mine / "m-test.arff"])
    (folder / "toy-test.arff").write_text(f"{HEADER}1,x\n")
    outcome = verify_dataset("toy")
    assert outcome["toy-train.arff"] == "ok"
    assert outcome["toy-test.arff"] == "differs"
    assert "toy-test.arff, line 5: value 'x' is not declared" in outcome["statistics"]
    (folder / "toy.xml").rename(folder / "other.xml")
    assert verify_dataset("toy")["toy.xml"] == "missing"
    assert verify_dataset("digit-scenes") == {"statistics": "ok"}
    with pytest.raises(DatasetError, match=r"yeast is not here\. By hand: get yeast-train\.arff"):
        verify_dataset("yeast")
    with pytest.raises(UnknownDatasetError, match=r"unknown data set 'yest'\. Did you mean yeast"):
        verify_dataset("yest")


def test_only_what_labelchain_put_there_is_removed(data: Path, mine: Path) -> None:
    shutil.copytree(
        mine, data / "own", ignore=shutil.ignore_patterns("*.arff", "*.xml", "s_*", "*split*", "all*")
    )
    assert np.isfinite(load_dataset("own").features.data).all()
    with pytest.raises(DatasetError, match="own was not downloaded or added by labelchain"):
        files_to_remove("own")
    with pytest.raises(DatasetError, match="digit-scenes is built in; there is nothing to remove"):
        files_to_remove("digit-scenes")
    folder = add_dataset("toy", [mine / "meka.arff"])
    (folder / "notes.md").write_text("mine")
    (folder / ".labelchain.json").write_text('["rows.arff", "../../mine/m.xml", 3]')
    files = files_to_remove("toy")
    assert files == [folder / "rows.arff"]
    remove_files(files)
    assert (folder / "notes.md").exists()
    assert not (folder / ".labelchain.json").exists()
    for record in ("{}", "[", '["", "..", "."]'):
        (folder / "rows.arff").write_text((mine / "meka.arff").read_text())
        (folder / ".labelchain.json").write_text(record)
        with pytest.raises(DatasetError, match="was not downloaded or added by labelchain"):
            files_to_remove("toy")
