"""Add data sets from files that the user has, so that they can be loaded by name."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from labelchain.envs.datasets.catalogue import CATALOGUE, CatalogueEntry, verify_statistics
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.formats import Format, Source, recognise_files
from labelchain.envs.datasets.parts import absolute, check_regular, looks_like_path
from labelchain.envs.datasets.places import (
    canonical,
    entry_named,
    find_files,
    is_built_in,
    place_of,
    storage_folder,
)
from labelchain.envs.datasets.storage import has_checksum, record, remove_if_empty
from labelchain.envs.files import remove_unfinished, staging_folder

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_STORED: dict[Format, tuple[str, ...]] = {
    "npz": ("data.npz",),
    "mulan": ("train.arff", "test.arff", "labels.xml"),
    "meka": ("train.arff", "test.arff"),
    "xc": ("train.txt", "test.txt"),
    "xc-splits": ("rows.txt", "train-split.txt", "test-split.txt"),
    "libsvm": ("train.svm", "test.svm"),
}
"""The names under which the files of each format are kept."""
_FOLDERS = {"mulan", *(entry.folder for entry in CATALOGUE.values())}
"""Where the sets of the catalogue are."""


def add_dataset(name: str, files: Sequence[Path]) -> Path:
    """Copy files to where named data sets are, after they have been read and checked.

    A Mulan set of the catalogue is recognised by the checksums of its files, whatever their names; any other
    set of the catalogue must have its published statistics. Any other name is free for data of your own.

    Args:
        name: The data set's name: letters, digits, ``-``, ``_`` and ``.``; case does not matter. Not one that
            ends as files of data do, in ``.txt`` or so.
        files: All files of it, in any format that :func:`labelchain.envs.datasets.load_dataset` reads. Which
            has training and which test rows is told from their names.

    Returns:
        The folder that holds the copies.

    Raises:
        DatasetError: If a file is missing, damaged or not the published one, the name is taken, or the
            copies cannot be written; nothing is left behind then.
    """
    paths = [Path(file).expanduser() for file in files]
    for path in paths:
        check_regular(path)
        if not path.is_file():
            raise DatasetError(f"no such file: {path}")
    paths = [absolute(path) for path in paths]
    if not paths or len(set(paths)) != len(paths):
        raise DatasetError("expected the files of one data set, each once")
    entry = entry_named(name)
    if is_built_in(name):
        raise DatasetError(f"{name} is built in; give your data another name")
    if not _NAME.fullmatch(canonical(name)):
        raise DatasetError(
            f"a data set cannot be called {name[:70]!r}; expected letters, digits, '-', '_' and '.'"
        )
    if looks_like_path(name):
        raise DatasetError(f"a data set cannot be called {name!r}, as a file could; leave the suffix out")
    if entry is None and canonical(name) in _FOLDERS:
        raise DatasetError(f"{name} is a folder of known sets; give your data another name")
    if (present := find_files(name)) is not None:
        raise DatasetError(
            f"{name} is here already: {present}; remove it first: labelchain datasets rm {name}"
        )
    root = storage_folder()
    if entry is not None and entry.downloads:
        copies, folder = _published(entry, paths), place_of(entry, root)
    else:
        source = recognise_files(paths)
        _check(source, canonical(name), entry)
        names = _STORED[source.format]
        if source.format == "meka" and len(source.files) == 1:
            names = ("rows.arff",)
        copies, folder = dict(zip(names, source.files, strict=True)), root / canonical(name)
    _copy(copies, folder, root)
    return folder


def _published(entry: CatalogueEntry, paths: Sequence[Path]) -> dict[str, Path]:
    """The given files by the names of the published ones, told by their checksums."""
    found = {
        file.name: next((path for path in paths if has_checksum(path, file)), None)
        for file in entry.downloads
    }
    copies = {name: path for name, path in found.items() if path is not None}
    missing = [name for name, path in found.items() if path is None]
    wrong = [path.name for path in paths if path not in copies.values()]
    if missing or wrong:
        reason = f"; not recognised: {', '.join(wrong)}" if wrong else ""
        raise DatasetError(
            f"these are not the published files of {entry.name}, told by their SHA-256: missing "
            f"{', '.join(missing) or 'none'}{reason}. Get them from {entry.source}, or add a version of your "
            "own under another name"
        )
    return copies


def _check(source: Source, name: str, entry: CatalogueEntry | None) -> None:
    dataset = source.read(name)
    if entry is None:
        return
    try:
        verify_statistics(dataset, entry)
    except DatasetError as error:
        raise DatasetError(f"{source.files[0]}: {error}") from error


def _copy(copies: dict[str, Path], folder: Path, root: Path) -> None:
    """Copy files to a folder beside the final one, which is renamed when all are complete."""
    try:
        remove_unfinished(folder.parent)
        with staging_folder(folder.parent) as staging:
            complete = staging / folder.name
            complete.mkdir()
            for name, path in copies.items():
                shutil.copyfile(path, complete / name)
            record(complete, copies)
            if folder.is_dir():  # what a stopped download left
                for file in complete.iterdir():
                    file.replace(folder / file.name)
            else:
                complete.rename(folder)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise DatasetError(f"cannot write to {folder}: {reason}; nothing was left half written") from error
    finally:
        remove_if_empty(folder, root)
