"""Where the files of named data sets are: the folder that ``LABELCHAIN_DATA`` names, then the cache."""

from __future__ import annotations

import os
from pathlib import Path

from labelchain.envs.datasets.catalogue import CATALOGUE, CatalogueEntry
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.diagnostics import DIAGNOSTICS
from labelchain.envs.datasets.parts import TEXT_SUFFIXES, split_role

DATA_VARIABLE = "LABELCHAIN_DATA"
"""The environment variable that names the folder with the data sets that are not built in."""


def data_folder() -> Path | None:
    """The folder that ``LABELCHAIN_DATA`` names; ``None`` if the variable is not set.

    Raises:
        DatasetError: If it names something else than a folder.
    """
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        return None
    folder = Path(value)
    if not exists(folder) or not folder.expanduser().is_dir():
        raise DatasetError(f"{DATA_VARIABLE} must name a folder, but {value!r} is none; correct or unset it")
    return folder.expanduser()


def cache_folder() -> Path | None:
    """The cache by the platform's convention, existing or not; ``None`` if pooch is not installed."""
    try:
        import pooch  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        return None
    return Path(pooch.os_cache("labelchain"))


def storage_folder() -> Path:
    """Where files are downloaded and added to: the folder of ``LABELCHAIN_DATA``, else the cache.

    Raises:
        DatasetError: If the variable is not set and pooch, which knows the cache, is not installed.
    """
    folder = data_folder() or cache_folder()
    if folder is None:
        raise DatasetError(
            f"no place for data sets: set {DATA_VARIABLE} to a folder, or install pooch, which knows the "
            "cache of this machine: pip install 'labelchain[train]'"
        )
    return folder


def entry_named(name: str) -> CatalogueEntry | None:
    """The entry of the catalogue with a name, in any case and with ``-`` or ``_``."""
    return CATALOGUE.get(canonical(name))


def is_built_in(name: str) -> bool:
    """Whether a data set needs no files."""
    entry = entry_named(name)
    return canonical(name) in DIAGNOSTICS or (entry is not None and entry.kind == "built-in")


def available(entry: CatalogueEntry) -> bool:
    """Whether a set of the catalogue can be loaded now: it is built in or its files are present."""
    return entry.kind == "built-in" or find_files(entry.name) is not None


def find_files(name: str) -> Path | None:
    """The folder or ``.npz`` file of a name, in the data folder or the cache; ``None`` if there is none."""
    found = stored()
    entry = entry_named(name)
    wanted = {canonical(name)} if entry is None else {entry.name, entry.folder}
    matches = [path for candidate, path in found if canonical(candidate) in wanted]
    exact = [path for candidate, path in found if candidate == name and entry is None]
    return next((path for path in exact + matches if not (entry and _is_incomplete(path, entry))), None)


def stored() -> list[tuple[str, Path]]:
    """All data sets that are present, by name, in the order in which names are looked up."""
    return [found for root in (data_folder(), cache_folder()) if root is not None for found in _stored(root)]


def find_unfinished(entry: CatalogueEntry) -> Path | None:
    """The folder with some files of a set of the catalogue, and nothing else; ``None`` if there is none."""
    places = [place_of(entry, root) for root in (data_folder(), cache_folder()) if root is not None]
    return next((path for path in places if _is_incomplete(path, entry) and _files_in(path)), None)


def place_of(entry: CatalogueEntry, root: Path) -> Path:
    """The folder of a set of the catalogue inside a storage folder."""
    return root / "mulan" / entry.folder if entry.folder else root / entry.name


def by_hand(entry: CatalogueEntry) -> str:
    """How to bring the files of a set without a download, in one sentence."""
    if entry.kind == "xc":
        return (
            f"Get the files from {entry.source} and run: labelchain datasets add {entry.name} FILES..., with "
            "the training and the test file, or the file of all rows and its two split files"
        )
    return (
        f"By hand: get {', '.join(entry.files)} from {entry.source} and run: labelchain datasets add "
        f"{entry.name} FILES..."
    )


def canonical(name: str) -> str:
    """A name as the catalogue writes it."""
    return name.lower().replace("_", "-")


def exists(path: Path) -> bool:
    """Whether a path, which may be no possible path at all, exists."""
    try:
        path.expanduser().stat()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a home folder of nobody
        return False
    return True


def _stored(root: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for place in (root / "mulan", root):
        if place.is_dir():
            folders = sorted(path for path in place.iterdir() if path.is_dir() and path.name[0] != ".")
            found += [(folder.name, folder) for folder in folders if _holds_data(folder)]
    if root.is_dir():
        found += [(path.stem, path) for path in sorted(root.glob("*.npz")) if path.name[0] != "."]
    return found


def _holds_data(folder: Path) -> bool:
    """Whether a folder looks, by the names of its files, like one data set."""
    try:
        files = [path for path in folder.iterdir() if path.name[0] != "."]
    except OSError:
        return False
    if any(path.suffix.lower() == ".arff" for path in files) or (
        len(files) == 1 and files[0].suffix.lower() == ".npz"
    ):
        return True
    return {"train", "test"} <= {split_role(path) for path in files if path.suffix.lower() in TEXT_SUFFIXES}


def _is_incomplete(path: Path, entry: CatalogueEntry) -> bool:
    """Whether a folder holds some of an entry's files and nothing else: a download that was stopped."""
    if not path.is_dir() or not entry.files:
        return False
    return _files_in(path) < set(entry.files)


def _files_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.name[0] != "."}
