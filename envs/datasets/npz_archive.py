"""Arrays by name in one ``.npz`` file, read with suspicion: no pickles, no declared size is trusted."""

from __future__ import annotations

import errno
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.files import written_beside

Arrays = Mapping[str, NDArray[Any]]
_KINDS = "biufU"
"""Kinds of arrays: truth values, integers, floating-point numbers and text."""
_MAX_COMPRESSION = 1100
"""Deflate makes nothing smaller than by 1032."""


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` file.

    The size of each is checked against the file before memory is taken for it.

    Raises:
        DatasetError: If the file cannot be read, is no such archive or holds anything but numbers and text.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DatasetError(f"cannot read the file: {error.strerror}") from error
    try:
        with file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            strange = [member.filename for member in members if not member.filename.endswith(".npy")]
            if strange:
                raise DatasetError(f"holds {strange[0]!r:.80}; expected arrays alone, named *.npy")
            if len({member.filename for member in members}) < len(members):
                raise DatasetError("holds two arrays of one name")
            if (total := sum(member.file_size for member in members)) > _memory():
                raise DatasetError(f"declares {total:,} bytes, more than the memory of this machine")
            return {member.filename.removesuffix(".npy"): _load_member(archive, member) for member in members}
    except DatasetError:
        raise
    except MemoryError as error:
        raise DatasetError("its arrays do not fit into memory") from error
    except (
        Exception
    ) as error:  # of a damaged file, zipfile, zlib and NumPy's header parser raise a dozen kinds
        raise DatasetError(f"not an .npz file, or damaged: {error or type(error).__name__}") from error


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to a file beside ``path`` and rename it, so that ``path`` is never half written.

    Raises:
        DatasetError: If the file cannot be written.
    """
    try:
        if not path.parent.is_dir():  # it is not made: its name may be a slip
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with written_beside(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise DatasetError(f"cannot write the file: {error.strerror}") from error


def _memory() -> int:
    """Bytes of memory that this machine has; where it does not say, more than any file is allowed."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # pragma: no cover - not on this platform
        return 1 << 40


def _load_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array; its header is compared with the size of the archive's entry first."""
    key = member.filename.removesuffix(".npy")
    if member.file_size > _MAX_COMPRESSION * max(member.compress_size, 1):
        raise DatasetError(
            f"{key} declares {member.file_size:,} bytes, which its compressed size cannot hold"
        )
    with archive.open(member) as file:
        version = npy.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise DatasetError(f"{key} has the .npy version {version}; expected (1, 0) or (2, 0)")
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if dtype.kind not in _KINDS or dtype.itemsize == 0:
            raise DatasetError(
                f"{key} is an array of {dtype}; expected numbers or text (objects are never loaded)"
            )
        held = member.file_size - file.tell()
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != held:
            raise DatasetError(f"{key} declares the shape {shape} of {dtype}, but holds {held:,} bytes")
    with archive.open(member) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return array
