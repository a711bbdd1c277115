"""Files that are never half written."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":  # there, what a killed process left stays
    import fcntl

_PREFIX = ".unfinished-"


def check_output(path: Path) -> None:
    """Refuse a path where there is something else than a file: to be asked before long work, too.

    Raises:
        OSError: If it is that of a folder, or of a loop of links, a pipe or a device, which must not be
            replaced by a file.
    """
    expected = "expected the path of a file to write, got"
    if Path(os.path.realpath(path)).is_symlink():
        raise OSError(errno.ELOOP, f"{expected} a loop of links", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{expected} a folder", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, f"{expected} a pipe or a device", str(path))


def check_folder(path: Path) -> None:
    """Refuse a path where no folder can be made: to be asked before long work, too.

    Raises:
        OSError: If something else is there, or at the path of one of its parents.
    """
    there = next(place for place in (path, *path.parents) if os.path.lexists(place))
    if not there.is_dir():
        expected = "expected the path of a folder, got something else"
        raise NotADirectoryError(errno.ENOTDIR, expected, str(there))


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it into place on success, remove it on any failure.

    A reader sees the old file or the new one, never a part, even if the process is killed. What a killed
    process leaves is hidden, and goes with :func:`remove_unfinished`. A link stays one: the file is written
    where it points.

    Raises:
        OSError: As :func:`check_output`, or if the file cannot be written.
    """
    check_output(path)
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _new_and_ours(lambda: _new_file(target.parent, path))
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        grant_usual_access(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        _release(handle)


def save_beside(path: Path, save: Callable[[io.BytesIO], object]) -> None:
    """Have ``save`` write to memory, and that into place as :func:`written_beside` does.

    For writers that are not Python's, such as torch's, which on a full disk hide the reason.
    """
    packed = io.BytesIO()
    save(packed)
    with written_beside(path) as temporary:
        temporary.write_bytes(packed.getbuffer())


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Give a hidden folder inside ``parent``, for files to be renamed out of; remove it at the end."""
    parent.mkdir(parents=True, exist_ok=True)
    handle, staging = _new_and_ours(lambda: Path(tempfile.mkdtemp(dir=parent, prefix=_PREFIX)))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        _release(handle)


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Hold a folder until the end, or the end of the process; false if another one holds it.

    Where the file system has no locks, it is never said to be held.
    """
    if sys.platform == "win32":  # there, folders cannot be opened
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _claim(handle) is not False
    finally:
        os.close(handle)


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files and folders whose processes are gone; those in use stay."""
    for path in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another process was faster, or the file is not ours
            handle = os.open(path, os.O_RDONLY)
            try:
                if _claim(handle):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(handle)


def _new_file(folder: Path, path: Path) -> Path:
    """A temporary file for that path, with its suffix, by which writers of pictures choose the format."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=f"{_PREFIX}{path.stem}.", suffix=path.suffix)
    os.close(handle)
    return Path(name)


def _new_and_ours(make: Callable[[], Path]) -> tuple[int | None, Path]:
    """Make a temporary file or folder and lock it, or another if a process took it for one left over."""
    while True:
        path = make()
        if sys.platform == "win32":  # there, folders cannot be opened
            return None, path
        with suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY)
            if _claim(handle) is not False and path.exists():
                return handle, path
            os.close(handle)


def _release(handle: int | None) -> None:
    if handle is not None:
        os.close(handle)


def _claim(handle: int) -> bool | None:
    """Lock an open file until it is closed, as the system does when a process ends.

    Returns:
        Whether that worked; ``None`` where nothing can be locked, as on some file systems of clusters.
    """
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def grant_usual_access(path: Path) -> None:
    """Give a file the access that new files get; those of ``mkstemp`` are for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
