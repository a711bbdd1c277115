"""Find data sets by name or path, and load each once per process."""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Callable
from pathlib import Path

from labelchain.envs.datasets.catalogue import CATALOGUE, CatalogueEntry, verify_statistics
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.diagnostics import DIAGNOSTICS
from labelchain.envs.datasets.digit_scenes import digit_scenes
from labelchain.envs.datasets.formats import EXPECTED, Source, recognise
from labelchain.envs.datasets.openml import read_openml
from labelchain.envs.datasets.parts import absolute, check_regular, looks_like_path
from labelchain.envs.datasets.places import (
    available,
    by_hand,
    canonical,
    data_folder,
    entry_named,
    exists,
    find_files,
    stored,
)

OPENML = "openml:"
"""What a name on OpenML begins with, as in ``openml:41473`` or ``openml:emotions``."""

_Stamp = tuple[tuple[int, int], ...]
_loaded: dict[object, tuple[_Stamp, MultilabelDataset]] = {}
_lock = threading.Lock()


class UnknownDatasetError(DatasetError):
    """A name that is neither in the catalogue nor that of a file."""


def load_dataset(name_or_path: str | Path, test: str | Path | None = None) -> MultilabelDataset:
    """Load a data set, or give the one that this process has loaded already. It is shared: never change it.

    Nothing is downloaded, except from OpenML, which is named as such: see
    :func:`labelchain.envs.datasets.download_dataset`. A name goes before a path: write ``"./yeast"`` for a
    folder of your own that is called like a known set.

    Args:
        name_or_path: ``"digit-scenes"`` or a diagnostic such as ``"diagnostic-joint-mode"`` (with its default
            parameters), which are built in. Or the name of another set, known or your own,
            whose files are in the folder that the environment variable ``LABELCHAIN_DATA`` names
            (``mulan/<name>/``, ``<name>/`` or ``<name>.npz``, whichever comes first; ``-`` and ``_`` are the
            same) or in the cache. Or ``"openml:<name or number>"``. Or a path: a folder with the files of one
            data set, an ``.npz`` file, an ``.arff`` file (Mulan's or MEKA's), text of the Extreme
            Classification Repository or of LIBSVM. Or what :func:`source_name` made of two paths.
        test: The path of the test file, if the first path is that of a training file.

    Raises:
        TypeError: If it is neither text nor a path.
        UnknownDatasetError: If it is neither a known name nor a file.
        DatasetError: If the files are missing or wrong, or a set of the catalogue does not have its published
            statistics.
    """
    name_or_path, test = _parts(name_or_path, test)
    if test is not None:
        return _load_path(Path(name_or_path), Path(test))
    if isinstance(name_or_path, Path) or looks_like_path(name_or_path):
        return _load_path(Path(name_or_path))
    if name_or_path.startswith(OPENML):
        return _load_openml(name_or_path.removeprefix(OPENML))
    entry = entry_named(name_or_path)
    if entry is not None and entry.kind == "built-in":
        return digit_scenes()
    if canonical(name_or_path) in DIAGNOSTICS:
        return _load_diagnostic(canonical(name_or_path))
    path = find_files(name_or_path)
    if path is None and entry is not None:
        raise DatasetError(_how_to_bring(entry))
    if path is None and name_or_path and exists(Path(name_or_path)):
        path = Path(name_or_path)
    if path is None:
        raise UnknownDatasetError(unknown_name(name_or_path))
    return _load_path(path, entry=entry)


def source_name(name_or_path: str | Path, test: str | Path | None = None) -> str:
    """One text that names the same data for :func:`load_dataset`, from whatever folder it is called.

    A name stays as it is, a path becomes absolute, and two paths become a JSON list.

    >>> source_name("digit-scenes")
    'digit-scenes'
    >>> source_name("/data/train.txt", "/data/test.txt")
    '["/data/train.txt", "/data/test.txt"]'

    Args:
        name_or_path: As for :func:`load_dataset`.
        test: As for :func:`load_dataset`.

    Raises:
        TypeError: If the first is neither text nor a path.
    """
    name_or_path, test = _parts(name_or_path, test)
    if test is not None:
        return json.dumps([_located(name_or_path), _located(test)])
    text = str(name_or_path)
    if text.startswith(OPENML):
        return text
    is_path = isinstance(name_or_path, Path) or looks_like_path(text)
    is_name = not is_path and (
        entry_named(text) is not None or canonical(text) in DIAGNOSTICS or find_files(text) is not None
    )
    return text if is_name or not exists(Path(text)) else _located(text)


def dataset_names() -> dict[str, bool]:
    """The names that :func:`load_dataset` knows now, each with whether its files are present.

    Raises:
        DatasetError: If ``LABELCHAIN_DATA`` names something else than a folder.
    """
    names = {name: available(entry) for name, entry in CATALOGUE.items()}
    known = {canonical(alias) for e in CATALOGUE.values() for alias in (e.name, e.folder or e.name)}
    known |= DIAGNOSTICS.keys()
    return (
        names
        | dict.fromkeys(DIAGNOSTICS, True)
        | {name: True for name, _ in stored() if canonical(name) not in known}
    )


def _parts(name_or_path: str | Path, test: str | Path | None) -> tuple[str | Path, str | Path | None]:
    """The two paths in what :func:`source_name` made of them; anything else as it is.

    Raises:
        TypeError: If the first is neither text nor a path.
    """
    if not isinstance(name_or_path, str | Path):
        raise TypeError(f"expected the name or the path of a data set, got {name_or_path!r}")
    if test is None and isinstance(name_or_path, str) and name_or_path.startswith("["):
        try:
            paths = json.loads(name_or_path)
        except (RecursionError, ValueError):
            return name_or_path, None
        if isinstance(paths, list) and len(paths) == 2 and all(isinstance(path, str) for path in paths):
            return paths[0], paths[1]
    return name_or_path, test


def _located(path: str | Path) -> str:
    return str(absolute(Path(path).expanduser()))


def _load_path(
    path: Path, test: Path | None = None, *, entry: CatalogueEntry | None = None
) -> MultilabelDataset:
    """Load the data set of a path, as the set of the catalogue that it is to be."""
    for given in (path, test):
        if given is None:
            continue
        if not exists(given):
            raise DatasetError(f"no such file or folder: {given}")
        check_regular(given.expanduser())
    path = absolute(path.expanduser())
    source = recognise(path, None if test is None else absolute(test.expanduser()))
    dataset = _read_once(source, source.name if entry is None else entry.name)
    if entry is not None:
        try:
            verify_statistics(dataset, entry)
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from error
    return dataset


def _read_once(source: Source, name: str | None) -> MultilabelDataset:
    with _lock:
        stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in source.files)
        known_stamp, dataset = _loaded.get((source, name), (None, None))
        if dataset is None or known_stamp != stamp:
            dataset = source.read(name)
            _loaded[source, name] = (stamp, dataset)
    return dataset


def _load_openml(name: str) -> MultilabelDataset:
    return _made_once(OPENML + name, lambda: read_openml(name))


def _load_diagnostic(name: str) -> MultilabelDataset:
    return _made_once(name, DIAGNOSTICS[name])


def _made_once(key: str, make: Callable[[], MultilabelDataset]) -> MultilabelDataset:
    with _lock:
        if key not in _loaded:
            _loaded[key] = ((), make())
        return _loaded[key][1]


def _how_to_bring(entry: CatalogueEntry) -> str:
    root = data_folder()
    where = "LABELCHAIN_DATA is not set, and the cache" if root is None else str(root)
    what = f"no files for the data set {entry.name}: {where} holds none. "
    if entry.kind == "xc":
        return what + by_hand(entry)
    return f"{what}To download them, run: labelchain datasets get {entry.name}. {by_hand(entry)}"


def unknown_name(name: str) -> str:
    """What to say to a name that is not known."""
    names = list(dataset_names())
    close = difflib.get_close_matches(canonical(name), names, n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return (
        f"unknown data set {name!r}.{hint} Known names: {', '.join(names)}. "
        f"Data of your own are loaded by path: {EXPECTED}"
    )
