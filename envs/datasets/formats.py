"""Recognise what format files have, by suffix and content, and read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.libsvm import is_libsvm, read_libsvm
from labelchain.envs.datasets.meka import is_meka, read_meka
from labelchain.envs.datasets.mulan import find_mulan_files, read_mulan_files
from labelchain.envs.datasets.npz import read_npz
from labelchain.envs.datasets.parts import TEXT_SUFFIXES, name_of, split_role
from labelchain.envs.datasets.xc import is_xc, read_xc

Format: TypeAlias = Literal["npz", "mulan", "meka", "xc", "xc-splits", "libsvm"]
EXPECTED = (
    "an .npz file, an .arff file (Mulan's or MEKA's), text of the Extreme Classification Repository or of "
    "LIBSVM, or a folder with the files of one data set"
)
_LONGEST_LINE = 1 << 20
_MOST_BLANK_LINES = 1000


@dataclass(frozen=True)
class Source:
    """Files whose format is known.

    Attributes:
        format: Mulan: training rows, test rows, labels; MEKA: one file or training and test file; Extreme
            Classification Repository and LIBSVM: training and test file; ``"xc-splits"``: all rows, then the
            two split files.
        files: All of them, absolute.
        name: The data set's name; ``None`` for the one in an ``.npz`` file by its path.
    """

    format: Format
    files: tuple[Path, ...]
    name: str | None

    def read(self, name: str | None = None) -> MultilabelDataset:
        """Read the files.

        Args:
            name: The data set's name in place of the source's.

        Raises:
            DatasetError: If they are damaged.
        """
        name = self.name if name is None else name
        match self.format:
            case "npz":
                return read_npz(self.files[0], name)
            case "mulan":
                train, test, names = self.files
                return read_mulan_files(train, test, names, name)
            case "meka":
                return read_meka(self.files[0], self.files[1] if len(self.files) > 1 else None, name)
            case "xc":
                return read_xc(*self.files, name=name)
            case "xc-splits":
                return read_xc(self.files[0], train_split=self.files[1], test_split=self.files[2], name=name)
            case "libsvm":
                return read_libsvm(*self.files, name=name)


def recognise(path: Path, test: Path | None = None) -> Source:
    """The data set of a path.

    Args:
        path: A folder, a file with all rows or the training file, existing and absolute.
        test: The test file, existing and absolute.

    Raises:
        DatasetError: If the format is not known or a file that belongs to it is missing.
    """
    if test is not None and (path.is_dir() or test.is_dir() or path.suffix.lower() == ".npz"):
        raise DatasetError(f"{path}: only a training file goes with a test file; leave the test file out")
    if path.is_dir():
        return _recognise_folder(path)
    if path.suffix.lower() == ".npz":
        return Source("npz", (path,), None)
    if path.suffix.lower() == ".arff":
        return _recognise_arff(path, test)
    lines = _first_lines(path)
    if is_xc(lines[0]):
        if test is not None:
            return Source("xc", (path, test), name_of(path))
        return Source("xc-splits", (path, *_split_files(path)), name_of(path))
    if is_libsvm(path):
        return Source("libsvm", (path, _needed(path, test)), name_of(path))
    raise DatasetError(f"{path}: not a known format, by its name and first line; expected {EXPECTED}")


def recognise_files(files: Sequence[Path]) -> Source:
    """The data set of some files, in any order as far as their names and contents tell which is which.

    Raises:
        DatasetError: If they are not the files of one data set.
    """
    where = files[0].parent
    arffs = [file for file in files if file.suffix.lower() == ".arff"]
    xmls = [file for file in files if file.suffix.lower() == ".xml"]
    if len(files) == 1:
        return recognise(files[0])
    if arffs and xmls and len(arffs) == 2 and len(files) == 3:
        return Source("mulan", (*_pair(where, arffs), xmls[0]), name_of(arffs[0]))
    if len(arffs) == len(files) == 2:
        return recognise(*_pair(where, arffs))
    if arffs or xmls:
        raise DatasetError(
            f"{where}: expected two .arff files and one .xml (Mulan) or one or two .arff files (MEKA), got "
            f"{', '.join(file.name for file in files)}"
        )
    return _recognise_texts(where, files, name_of(files[0]))


def _recognise_folder(folder: Path) -> Source:
    try:
        files = _visible(folder)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot read the folder: {error.strerror}") from error
    arffs = [path for path in files if path.suffix.lower() == ".arff"]
    if arffs and not any(path.suffix.lower() == ".xml" for path in files) and all(map(is_meka, arffs)):
        pair = tuple(arffs) if len(arffs) == 1 else _pair(folder, arffs)
        return Source("meka", pair, folder.name)
    if arffs:
        return Source("mulan", find_mulan_files(folder), folder.name)
    if len(files) == 1 and files[0].suffix.lower() == ".npz":
        return Source("npz", tuple(files), folder.name)
    texts = [path for path in files if path.suffix.lower() in TEXT_SUFFIXES]
    if not texts:
        return Source("mulan", find_mulan_files(folder), folder.name)  # says which files a folder has
    return _recognise_texts(folder, texts, folder.name)


def _visible(folder: Path) -> list[Path]:
    """The files in a folder, sorted, without hidden ones such as those that macOS puts beside files."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")


def _recognise_arff(path: Path, test: Path | None) -> Source:
    if test is None:
        try:
            files = find_mulan_files(path.parent)
        except DatasetError:
            if not is_meka(path):
                raise
            return Source("meka", (path,), name_of(path))
        if path == files[0]:
            return Source("mulan", files, path.parent.name)
        if path != files[1] and is_meka(path):
            return Source("meka", (path,), name_of(path))
        raise DatasetError(
            f"{path}: expected a folder or a training file, such as {files[0].name}, to which the test file "
            f"{files[1].name} belongs; for other test rows give --test FILE too (in Python, test=FILE)"
        )
    if is_meka(path):
        return Source("meka", (path, test), name_of(path))
    xmls = [file for file in _visible(path.parent) if file.suffix.lower() == ".xml"]
    if len(xmls) == 1:
        return Source("mulan", (path, test, xmls[0]), name_of(path))
    raise DatasetError(
        f"{path}: expected the names of the labels: one .xml file beside it (Mulan; it has {len(xmls)}) or "
        "'-C N' in the relation's name (MEKA)"
    )


def _recognise_texts(where: Path, files: Sequence[Path], name: str) -> Source:
    lines = {file: _first_lines(file) for file in files}
    headed = [file for file in files if is_xc(lines[file][0]) and not _is_split(lines[file])]
    rows = [file for file in files if is_libsvm(file)]
    splits = [file for file in files if file not in headed and _is_split(lines[file])]
    if len(headed) == 2:
        return Source("xc", _pair(where, headed), name)
    if len(headed) == 1 and len(splits) >= 2:
        return Source("xc-splits", (headed[0], *_pair(where, splits)), name)
    if not headed and len(rows) == 2:
        return Source("libsvm", _pair(where, rows), name)
    raise DatasetError(
        f"{where}: expected a training and a test file, or a file of all rows and two split files, got "
        f"{', '.join(file.name for file in files[:10])}"
    )


def _pair(where: Path, files: Sequence[Path]) -> tuple[Path, Path]:
    """The training and the test file among some, by their names."""
    train = [file for file in files if split_role(file) == "train"]
    test = [file for file in files if split_role(file) == "test"]
    if len(train) != 1 or len(test) != 1:
        raise DatasetError(
            f"{where}: cannot tell training from test rows by the names {', '.join(f.name for f in files)}; "
            "expected 'train' in the name of one and 'test' in that of the other"
        )
    return train[0], test[0]


def _split_files(path: Path) -> tuple[Path, Path]:
    """The two split files beside a file of all rows."""
    candidates = [
        file
        for file in _visible(path.parent)
        if file != path and file.suffix.lower() in TEXT_SUFFIXES and split_role(file)
    ]
    splits = [file for file in candidates if _is_split(_first_lines(file))]
    named = [file for file in splits if file.name.lower().startswith(name_of(path).lower())] or splits
    try:
        return _pair(path.parent, named)
    except DatasetError:
        held = ", ".join(file.name for file in named[:10]) or "none"
        raise DatasetError(
            f"{path}: {_TEST_NEEDED}, or two split files beside it, such as {name_of(path)}_trSplit.txt and "
            f"{name_of(path)}_tstSplit.txt (found: {held})"
        ) from None


_TEST_NEEDED = (
    "expected a test file too: give it by --test FILE (in Python, test=FILE; play and environments take both "
    'as \'["TRAIN", "TEST"]\')'
)


def _needed(path: Path, test: Path | None) -> Path:
    if test is None:
        raise DatasetError(f"{path}: {_TEST_NEEDED}")
    return test


def _is_split(lines: list[str]) -> bool:
    """Whether a file is a split file, from its first two lines: row numbers in as many columns each.

    One of three columns begins like a file of all rows, and differs from it in the second line.
    """
    first, second = (line.split() for line in lines)
    are_numbers = all(field.isascii() and field.isdigit() for field in (*first, *second))
    return bool(first) and are_numbers and len(second) in (0, len(first))


def _first_lines(path: Path) -> list[str]:
    """The first two lines that are neither blank nor comments, or parts of them; ``""`` if not text."""
    found: list[bytes] = []
    try:
        with path.open("rb") as file:
            for _ in range(_MOST_BLANK_LINES):
                line = file.readline(_LONGEST_LINE)
                if len(line) == _LONGEST_LINE:
                    line = line.rpartition(b" ")[0]
                if line.strip() and line[:1] != b"#":
                    found.append(line)
                if not line or len(found) == 2:
                    break
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error
    texts = [
        "" if b"\0" in line else line.decode("utf-8-sig", errors="replace").strip("\r\n") for line in found
    ]
    return [*texts, "", ""][:2]
