"""Files that labelchain keeps for named data sets: what it put where, their checksums, and their removal."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from labelchain.envs.datasets.catalogue import CatalogueEntry, DataFile
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.loading import UnknownDatasetError, load_dataset, unknown_name
from labelchain.envs.datasets.places import by_hand, entry_named, find_files, find_unfinished, is_built_in
from labelchain.envs.files import written_beside

RECORD = ".labelchain.json"
"""In the folder of a data set, the names of the files that labelchain put there."""


def has_checksum(path: Path, file: DataFile) -> bool:
    """Whether a file is there, with its published size and checksum."""
    try:
        return path.stat().st_size == file.size and sha256(path) == file.sha256
    except OSError:
        return False


def sha256(path: Path) -> str:
    """The checksum of a file, in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def record(folder: Path, names: Iterable[str]) -> None:
    """Remember that labelchain put some files into a folder."""
    known = dict.fromkeys([*recorded(folder), *names])
    with written_beside(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(sorted(known)) + "\n", encoding="utf-8")


def recorded(folder: Path) -> list[str]:
    """The names of the files that labelchain put into a folder."""
    try:
        names = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError):
        return []
    if not isinstance(names, list):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name not in ("", "..")]


def verify_dataset(name: str) -> dict[str, str]:
    """Check the files of a data set against the published checksums, and the data against the statistics.

    Args:
        name: A set that is present, or some of whose files are: a stopped download.

    Returns:
        For each file, ``"ok"``, ``"missing"`` or ``"differs"``, and the same for ``"statistics"`` with the
        reason; whatever has no published checksum is left out.

    Raises:
        UnknownDatasetError: If there is no such set.
        DatasetError: If no file of it is present.
    """
    entry, path = _present(name)
    outcome = {}
    if entry is not None and path is not None and path.is_dir():
        for file in entry.downloads:
            is_there = (path / file.name).exists()
            good = has_checksum(path / file.name, file)
            outcome[file.name] = "ok" if good else "differs" if is_there else "missing"
    if entry is not None and "missing" in outcome.values() and path == find_unfinished(entry):
        outcome["statistics"] = (
            f"unknown until 'labelchain datasets get {entry.name}' has got what is missing"
        )
        return outcome
    try:
        load_dataset(name if entry is None else entry.name)
        outcome["statistics" if entry is not None else "content"] = "ok"
    except DatasetError as error:
        outcome["statistics" if entry is not None else "content"] = str(error)
    return outcome


def files_to_remove(name: str) -> list[Path]:
    """The files of a data set that labelchain itself downloaded or added.

    Raises:
        UnknownDatasetError: If there is no such set.
        DatasetError: If no file is present, or labelchain put none of them there.
    """
    path = _present(name)[1]
    if path is None:
        raise DatasetError(f"{name} is built in; there is nothing to remove")
    files = [path / file for file in recorded(path) if (path / file).is_file()] if path.is_dir() else []
    if not files:
        raise DatasetError(f"{path} was not downloaded or added by labelchain, which removes nothing else")
    return files


def remove_files(files: Iterable[Path]) -> None:
    """Remove what :func:`files_to_remove` gave, and the folder if nothing else is in it.

    Raises:
        DatasetError: If a file cannot be removed.
    """
    try:
        for file in files:
            file.unlink(missing_ok=True)
            if not any(file.with_name(name).exists() for name in recorded(file.parent)):
                (file.parent / RECORD).unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    file.parent.rmdir()
    except OSError as error:
        raise DatasetError(f"cannot remove {error.filename}: {error.strerror}") from error


def remove_if_empty(folder: Path, root: Path) -> None:
    """Remove a folder without files, and those above it up to the root."""
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def _present(name: str) -> tuple[CatalogueEntry | None, Path | None]:
    """The entry of a name and its folder, of a stopped download too, or file; no path if it is built in."""
    entry = entry_named(name)
    if is_built_in(name):
        return entry, None
    path = find_files(name)
    if path is None and entry is not None:
        path = find_unfinished(entry)
    if path is None:
        if entry is None:
            raise UnknownDatasetError(unknown_name(name))
        raise DatasetError(f"{entry.name} is not here. {by_hand(entry)}")
    return entry, path
