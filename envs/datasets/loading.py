"""Find data sets by name or path, and load each once per process."""

from __future__ import annotations

import difflib
import os
import threading
from pathlib import Path

from labelchain.envs.datasets.catalogue import CATALOGUE, CatalogueEntry, verify_statistics
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.digit_scenes import digit_scenes
from labelchain.envs.datasets.mulan import read_mulan
from labelchain.envs.datasets.npz import read_npz

DATA_VARIABLE = "LABELCHAIN_DATA"
"""The environment variable that names the folder with the data sets that are not built in."""

_Stamp = tuple[tuple[str, int, int], ...]
_loaded: dict[tuple[Path, str | None], tuple[_Stamp, MultilabelDataset]] = {}
_lock = threading.Lock()


class UnknownDatasetError(DatasetError):
    """A name that is neither in the catalogue nor that of a file."""


def load_dataset(name_or_path: str | Path) -> MultilabelDataset:
    """Load a data set, or give the one that this process has loaded already. It is shared: never change it.

    A name goes before a path: write ``"./yeast"`` for a folder of your own that is called like a known set.

    Args:
        name_or_path: ``"digit-scenes"``, which is built in. Or the name of another set, known or your own,
            whose files are in the folder that the environment variable ``LABELCHAIN_DATA`` names:
            ``mulan/<name>/``, ``<name>/`` or ``<name>.npz``, whichever comes first (``-`` and ``_`` are the
            same). Or the path of a Mulan folder, of an ``.arff`` file in one, or of an ``.npz`` file.

    Raises:
        UnknownDatasetError: If it is neither a known name nor a file.
        DatasetError: If the files are missing or wrong, or a set of the catalogue does not have its published
            statistics.
    """
    if isinstance(name_or_path, Path) or _looks_like_path(name_or_path):
        return _load_path(Path(name_or_path))
    entry = CATALOGUE.get(_canonical(name_or_path))
    if entry is not None and entry.folder is None:
        return digit_scenes()
    path = find_files(name_or_path)
    if path is None and entry is not None:
        raise DatasetError(_how_to_bring(entry))
    if path is None and name_or_path and _exists(Path(name_or_path)):
        path = Path(name_or_path)
    if path is None:
        raise UnknownDatasetError(_unknown(name_or_path))
    return _load_path(path, entry)


def dataset_names() -> dict[str, bool]:
    """The names that :func:`load_dataset` knows now, each with whether its files are present.

    Raises:
        DatasetError: If ``LABELCHAIN_DATA`` names something else than a folder.
    """
    names = {name: available(entry) for name, entry in CATALOGUE.items()}
    known = {_canonical(alias) for e in CATALOGUE.values() for alias in (e.name, e.folder or e.name)}
    return names | {name: True for name, _ in _stored(data_folder()) if _canonical(name) not in known}


def available(entry: CatalogueEntry) -> bool:
    """Whether a set of the catalogue can be loaded now: it is built in or its files are present."""
    return entry.folder is None or find_files(entry.name) is not None


def data_folder() -> Path | None:
    """The folder that ``LABELCHAIN_DATA`` names; ``None`` if the variable is not set.

    Raises:
        DatasetError: If it names something else than a folder.
    """
    value = os.environ.get(DATA_VARIABLE)
    if not value:
        return None
    folder = Path(value)
    if not _exists(folder) or not folder.expanduser().is_dir():
        raise DatasetError(f"{DATA_VARIABLE} must name a folder, but {value!r} is none; correct or unset it")
    return folder.expanduser()


def find_files(name: str) -> Path | None:
    """The Mulan folder or the ``.npz`` file of a name in the data folder; ``None`` if there is none."""
    stored = _stored(data_folder())
    entry = CATALOGUE.get(_canonical(name))
    wanted = {_canonical(name)} if entry is None else {entry.name, entry.folder}
    found = [path for candidate, path in stored if _canonical(candidate) in wanted]
    exact = [path for candidate, path in stored if candidate == name and entry is None]
    return next(iter(exact + found), None)


def _stored(root: Path | None) -> list[tuple[str, Path]]:
    """What the data folder holds, by name, in the order in which names are looked up."""
    if root is None:
        return []
    places = [place for place in (root / "mulan", root) if place.is_dir()]
    folders = [
        path for place in places for path in sorted(place.iterdir()) if any(path.glob("*.[aA][rR][fF][fF]"))
    ]
    return [(folder.name, folder) for folder in folders] + [(p.stem, p) for p in sorted(root.glob("*.npz"))]


def _looks_like_path(text: str) -> bool:
    separators = {"/", os.sep, os.altsep or os.sep}
    return any(s in text for s in separators) or Path(text).suffix.lower() in (".npz", ".arff")


def _exists(path: Path) -> bool:
    try:
        path.expanduser().stat()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a home folder of nobody
        return False
    return True


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-")


def _load_path(path: Path, entry: CatalogueEntry | None = None) -> MultilabelDataset:
    """Load the data set of a path, as the set of the catalogue that it is to be."""
    if not _exists(path):
        raise DatasetError(f"no such file or folder: {path}")
    path = path.expanduser().resolve()
    if path.is_file() and path.suffix.lower() == ".arff":
        path = path.parent
    if path.is_file() and path.suffix.lower() != ".npz":
        raise DatasetError(f"{path}: expected an .npz file, an .arff file or the folder of a Mulan data set")
    if entry is not None:
        name: str | None = entry.name
    else:
        name = path.name if path.is_dir() else None
    with _lock:
        stamp = _stamp(path)
        known_stamp, dataset = _loaded.get((path, name), (None, None))
        if dataset is None or known_stamp != stamp:
            dataset = read_mulan(path, name) if path.is_dir() else read_npz(path, name)
            _loaded[path, name] = (stamp, dataset)
    if entry is not None:
        try:
            verify_statistics(dataset, entry)
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from error
    return dataset


def _stamp(path: Path) -> _Stamp:
    """Names, times and sizes of the files of a data set, by which a change is noticed."""
    files = [path]
    if path.is_dir():
        files = sorted(
            file for file in path.iterdir() if file.is_file() and file.suffix.lower() in (".arff", ".xml")
        )
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)


def _how_to_bring(entry: CatalogueEntry) -> str:
    root, place = data_folder(), f"mulan/{entry.folder}/"
    if root is None:
        reason = f"the environment variable {DATA_VARIABLE} is not set"
        where = f"a folder {place} and set {DATA_VARIABLE} to the folder above mulan/"
    else:
        reason, where = f"{root} holds neither {place} nor {entry.name}.npz", f"{root}/{place}"
    return (
        f"no files for the data set {entry.name}: {reason}. Get {', '.join(entry.files)} from {entry.source} "
        f"and put them into {where}"
    )


def _unknown(name: str) -> str:
    names = list(dataset_names())
    close = difflib.get_close_matches(_canonical(name), names, n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return (
        f"unknown data set {name!r}.{hint} Known names: {', '.join(names)}. "
        "Data of your own are loaded by path: a Mulan folder or an .npz file"
    )
