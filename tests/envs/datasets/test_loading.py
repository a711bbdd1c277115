"""Names and paths: which file is taken, what is shared, and what a wrong name is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from labelchain.envs.datasets import (
    CATALOGUE,
    DatasetError,
    MultilabelDataset,
    UnknownDatasetError,
    add_dataset,
    dataset_names,
    digit_scenes,
    load_dataset,
    read_mulan,
    source_name,
    write_npz,
)
from labelchain.envs.datasets.catalogue import verify_statistics
from labelchain.envs.datasets.diagnostics import DIAGNOSTICS
from labelchain.envs.datasets.places import available

BUILT_IN = {"digit-scenes", *DIAGNOSTICS}
HEADER = "@relation toy\n@attribute x numeric\n@attribute y {0,1}\n@data\n"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, empty; the current folder is another one."""
    folder, current = tmp_path / "data", tmp_path / "here"
    folder.mkdir()
    current.mkdir()
    monkeypatch.setenv("LABELCHAIN_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(current)
    return folder


def make_npz(path: Path, marker: float = 1.0, name: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    features = np.full((4, 2), marker)
    arguments = {"train_rows": [0, 1], "test_rows": [2, 3]}
    write_npz(
        MultilabelDataset.from_arrays(name or path.stem, features, np.eye(4, dtype=int), **arguments), path
    )
    return path


def make_mulan(folder: Path, marker: float = 1.0) -> Path:
    folder.mkdir(parents=True)
    (folder / "toy-train.arff").write_text(f"{HEADER}{marker},1\n{marker},0\n")
    (folder / "toy-test.arff").write_text(f"{HEADER}{marker},1\n")
    (folder / "toy.xml").write_text('<labels><label name="y"/></labels>')
    return folder


def marker(dataset: MultilabelDataset) -> float:
    return float(dataset.dense_features(np.array([0]))[0, 0])


@pytest.mark.parametrize("name", ["digit-scenes", "digit_scenes", "Digit-Scenes"])
def test_digit_scenes_need_no_files(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELCHAIN_DATA")
    assert load_dataset(name) is digit_scenes()


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_diagnostics_need_no_files(name: str) -> None:
    assert load_dataset(name) is load_dataset(name.replace("-", "_"))
    assert load_dataset(name).name == name
    assert source_name(name) == name


def test_digit_scenes_have_the_statistics_of_the_catalogue() -> None:
    verify_statistics(digit_scenes(), CATALOGUE["digit-scenes"])


def test_places_are_searched_in_order(data: Path) -> None:
    make_npz(data / "toy.npz", 3)
    assert marker(load_dataset("toy")) == 3
    make_mulan(data / "toy", 2)
    assert marker(load_dataset("toy")) == 2
    make_mulan(data / "mulan" / "toy", 1)
    assert marker(load_dataset("toy")) == 1


def test_dashes_underscores_and_case_are_the_same(data: Path) -> None:
    make_npz(data / "my_data-5k.npz")
    for name in ("my_data-5k", "my-data-5k", "my_data_5k", "My-Data-5K"):
        assert load_dataset(name) is load_dataset("my_data-5k")
    make_npz(data / "my-data-5k.npz", 2)
    assert marker(load_dataset("my-data-5k")) == 2
    assert marker(load_dataset("my_data-5k")) == 1


def test_paths(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, file = make_mulan(data / "elsewhere" / "toy"), make_npz(data / "elsewhere" / "set.npz", 2)
    by_folder = load_dataset(folder)
    assert by_folder.name == "toy"
    for path in (str(folder), folder / "toy-train.arff", str(folder / "toy-train.arff"), f"{folder}/"):
        assert load_dataset(path) is by_folder
    assert marker(load_dataset(str(file))) == 2
    monkeypatch.chdir(data / "elsewhere")
    assert load_dataset("toy") is by_folder
    assert load_dataset("./toy") is by_folder
    assert load_dataset(Path("toy")) is by_folder
    assert load_dataset("set.npz") is load_dataset(file)
    monkeypatch.setenv("HOME", str(data))
    assert load_dataset("~/elsewhere/toy") is by_folder
    assert load_dataset(Path("~/elsewhere/set.npz")) is load_dataset(file)


def test_what_a_link_leads_to_may_be_called_anything(data: Path) -> None:
    store = data.parent / "store"
    make_npz(store / "x.npz", 3, name="inner").rename(store / "ab12")
    Path("link.npz").symlink_to(store / "ab12")
    assert marker(load_dataset("link.npz")) == 3
    assert load_dataset(source_name("link.npz")) is load_dataset("link.npz")
    assert source_name("link.npz") == str(Path.cwd() / "link.npz")
    for number, name in enumerate(("sky_train.svm", "sky_test.svm")):
        (store / str(number)).write_text("1 1:1\n2 2:1\n")
        Path(name).symlink_to(store / str(number))
    assert load_dataset("sky_train.svm", "sky_test.svm").name == "sky"
    make_mulan(store / "cd34")
    Path("toy").symlink_to(store / "cd34")
    assert load_dataset("./toy").name == read_mulan(Path("toy")).name == "toy"
    add_dataset("mine", [Path("sky_test.svm"), Path("sky_train.svm")])
    assert load_dataset("mine").num_features == 2
    Path("into").symlink_to(store, target_is_directory=True)
    assert source_name("into/../store/cd34/toy-train.arff") == str(store / "cd34" / "toy-train.arff")


def test_a_name_goes_before_a_path(data: Path) -> None:
    make_npz(data / "toy.npz", 1)
    make_mulan(Path("toy"), 2)
    assert marker(load_dataset("toy")) == 1
    assert marker(load_dataset("./toy")) == 2
    assert marker(load_dataset(Path("toy"))) == 2


def test_the_name_in_an_npz_file_is_kept(data: Path) -> None:
    make_npz(data / "stem.npz", name="given")
    assert load_dataset("stem").name == "given"


def test_files_are_read_once_until_they_change(data: Path) -> None:
    path = make_npz(data / "toy.npz")
    first = load_dataset("toy")
    assert load_dataset("toy") is first
    assert load_dataset(path) is first
    os.utime(path, ns=(1, 1))
    assert load_dataset("toy") is not first
    folder = make_mulan(data / "other")
    first = load_dataset("other")
    (folder / "notes.txt").touch()
    assert load_dataset("other") is first
    (folder / "toy-test.arff").write_text(f"{HEADER}5,1\n6,0\n")
    assert len(load_dataset("other").rows("test")) == 2


def test_threads_share_one_data_set(data: Path) -> None:
    make_mulan(data / "toy")
    loaded: list[MultilabelDataset] = []
    threads = [threading.Thread(target=lambda: loaded.append(load_dataset("toy"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 8
    assert len({id(dataset) for dataset in loaded}) == 1


def test_unknown_name(data: Path) -> None:
    make_npz(data / "own_set.npz")
    with pytest.raises(UnknownDatasetError) as caught:
        load_dataset("bibtx")
    message = str(caught.value)
    assert message.startswith(
        "unknown data set 'bibtx'. Did you mean bibtex? Known names: digit-scenes, bibtex, birds"
    )
    assert "own_set. Data of your own are loaded by path: an .npz file, an .arff" in message


@pytest.mark.parametrize("name", ["", "zzzzzzzz", "x" * 5000, "a\0b", "mulan"])
def test_unknown_name_without_close_match(data: Path, name: str) -> None:
    (data / "mulan").mkdir()
    with pytest.raises(
        UnknownDatasetError, match=rf"^unknown data set {re.escape(repr(name))}\. Known names: digit"
    ):
        load_dataset(name)


@pytest.mark.parametrize(
    "path", ["none.npz", "none.ARFF", "./none", "no/such", Path("none"), "~nobody-of-that-name/x", "a\0/b"]
)
def test_missing_path(path: str | Path) -> None:
    with pytest.raises(
        DatasetError, match=rf"^no such file or folder: {re.escape(str(Path(path)))}$"
    ) as caught:
        load_dataset(path)
    assert not isinstance(caught.value, UnknownDatasetError)


def test_a_file_of_another_kind(data: Path) -> None:
    (data / "set.csv").touch()
    with pytest.raises(
        DatasetError, match=r"set\.csv: not a known format, .*expected an \.npz file, an \.arff file"
    ):
        load_dataset(data / "set.csv")


def test_catalogue_name_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELCHAIN_DATA")
    with pytest.raises(DatasetError) as caught:
        load_dataset("tmc2007-500")
    message = str(caught.value)
    assert message.startswith(
        "no files for the data set tmc2007-500: LABELCHAIN_DATA is not set, and the cache holds none. "
        "To download them, run: labelchain datasets get tmc2007-500. "
        "By hand: get tmc2007-500-train.arff, tmc2007-500-test.arff, tmc2007-500.xml from https://"
    )
    assert message.endswith("and run: labelchain datasets add tmc2007-500 FILES...")


def test_catalogue_name_without_the_files(data: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset("corel5k")
    message = str(caught.value)
    assert f"no files for the data set corel5k: {data} holds none. To download them" in message
    assert "get Corel5k-train-sparse.arff, Corel5k-test-sparse.arff, Corel5k.xml from https://" in message
    with pytest.raises(
        DatasetError, match=r"no files .*Get the files from http.*datasets add wiki10-31k FILES"
    ):
        load_dataset("wiki10-31k")


def test_the_data_folder_goes_before_the_cache(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    cache = Path(pooch.os_cache("labelchain"))
    assert cache.is_relative_to(data.parent)
    make_npz(cache / "toy.npz", 1)
    assert marker(load_dataset("toy")) == 1
    make_npz(data / "toy.npz", 2)
    assert marker(load_dataset("toy")) == 2
    monkeypatch.setitem(sys.modules, "pooch", None)  # not installed
    assert marker(load_dataset("toy")) == 2
    monkeypatch.delenv("LABELCHAIN_DATA")
    with pytest.raises(UnknownDatasetError):
        load_dataset("toy")


def test_variable_that_names_no_folder(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (str(data / "none"), str(make_npz(data / "toy.npz")), "x" * 5000):
        monkeypatch.setenv("LABELCHAIN_DATA", value)
        for call in (lambda: load_dataset("bibtex"), lambda: load_dataset("own"), dataset_names):
            with pytest.raises(
                DatasetError, match=r"^LABELCHAIN_DATA must name a folder, but .* is none; correct or"
            ):
                call()


def test_data_that_are_not_the_published_ones(data: Path) -> None:
    folder = make_mulan(data / "mulan" / "bibtex")
    with pytest.raises(DatasetError) as caught:
        load_dataset("bibtex")
    assert str(caught.value).startswith(
        f"{folder}: these are not the published data of bibtex: 2 training rows (with validation), "
        "not 4,880; 1 test rows, not 2,515; 1 features, not 1,836; 1 labels, not 159; "
        "0.667 labels per row on average, not 2.402. Get the original files again"
    )
    assert load_dataset(folder).num_labels == 1  # by its path, anything goes
    with pytest.raises(DatasetError, match="these are not the published data of bibtex"):
        load_dataset("bibtex")


def test_names(data: Path) -> None:
    assert dataset_names() == {name: name in BUILT_IN for name in (*CATALOGUE, *DIAGNOSTICS)}
    make_npz(data / "own_set.npz")
    make_mulan(data / "another")
    make_mulan(data / "mulan" / "tmc2007")
    (data / "no-data").mkdir()
    names = dataset_names()
    present = {name for name, here in names.items() if here}
    assert present == {*BUILT_IN, "tmc2007-500", "own_set", "another"}
    assert set(names) == {*CATALOGUE, *DIAGNOSTICS, "own_set", "another"}
    assert available(CATALOGUE["tmc2007-500"])
    assert not available(CATALOGUE["yeast"])


def test_names_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELCHAIN_DATA")
    assert dataset_names() == {name: name in BUILT_IN for name in (*CATALOGUE, *DIAGNOSTICS)}


def test_catalogue_is_complete() -> None:
    for name, entry in CATALOGUE.items():
        assert name == entry.name
        assert name == name.lower()
        assert entry.title
        assert re.search(r"\d{4}", entry.citation)
        assert (entry.kind == "mulan") == (entry.folder is not None) == bool(entry.files)
        assert entry.cardinality == round(entry.cardinality, 3)
        assert entry.licence
        assert (entry.kind == "built-in") != entry.source.startswith("http")
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size for file in entry.downloads)


def test_the_environments_import_neither_pooch_nor_what_learns_or_draws() -> None:
    heavy = (
        "pooch",
        "requests",
        "tqdm",
        "rich",
        "typer",
        "torch",
        "stable_baselines3",
        "matplotlib",
        "pandas",
    )
    code = (  # they are hidden, as scikit-learn itself takes rich where it is installed
        "import sys\nclass Hide:\n  def find_spec(self, name, *_):\n"
        f"    if name in {heavy!r}: raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, Hide())\n"
        "from labelchain.envs import LabelChainEnv, load_dataset\nprint(load_dataset('digit-scenes').name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("digit-scenes", "")
