"""Read a Mulan folder: a training and a test ARFF, and an XML file with the names of the labels."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from labelchain.envs.datasets.arff import check_same_header, read_arff
from labelchain.envs.datasets.arff_encoding import encode, encode_labels, encoded_names
from labelchain.envs.datasets.arff_rows import shorten
from labelchain.envs.datasets.checks import DatasetError
from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.parts import absolute, joined, name_of, split_role

NAMESPACE = "http://mulan.sourceforge.net/labels"
MAX_XML_BYTES = 16 * 2**20


def read_mulan(directory: Path, name: str | None = None) -> MultilabelDataset:
    """Read the data set in a Mulan folder.

    The folder holds one ``*train*.arff``, one ``*test*.arff`` with the same header, one ``*.xml``. Features
    are the attributes that the XML does not name, in the order of the header. A nominal feature of at most
    two numbers, such as ``{0,1}``, is taken as that number; any other becomes one 0/1 column for each
    declared value. Features are a ``csr_array`` if the rows of the ARFF files are sparse.

    Args:
        directory: The folder.
        name: The data set's name; by default the folder's.

    Returns:
        The training rows, then the test rows; labels in the order of the XML. A tenth of the training rows is
        held out for validation (see :meth:`MultilabelDataset.from_arrays`).

    Raises:
        DatasetError: If a file is missing or wrong; the message names the file, the line and the reason.
    """
    directory = Path(directory)
    files = find_mulan_files(directory)
    return read_mulan_files(*files, absolute(directory).name if name is None else name)


def read_mulan_files(
    train_path: Path, test_path: Path, xml_path: Path, name: str | None = None
) -> MultilabelDataset:
    """Read a data set from the three files of a Mulan folder, wherever they are.

    Args:
        train_path: ARFF with the training rows.
        test_path: ARFF with the test rows.
        xml_path: The names of the labels.
        name: The data set's name; by default from the training file's.

    Raises:
        DatasetError: As :func:`read_mulan`.
    """
    label_names = read_label_names(xml_path)
    train, test = read_arff(train_path), read_arff(test_path)
    check_same_header(train, test)
    for table, split in ((train, "training"), (test, "test")):
        if not table.lines.size:
            raise DatasetError(f"{table.path}: {split} split is empty; expected rows after @data")

    columns = {attribute.name: column for column, attribute in enumerate(train.attributes)}
    if missing := [label for label in label_names if label not in columns]:
        raise DatasetError(f"labels in {xml_path} but not in {train_path.name}: {shorten(missing, 10)}")
    label_columns = [columns.pop(label) for label in label_names]
    feature_columns = list(columns.values())
    if not feature_columns:
        raise DatasetError(
            f"{train_path}: every attribute is a label of {xml_path.name}; expected features too"
        )
    return joined(
        name_of(train_path) if name is None else name,
        train_path.parent,
        [(encode(table, feature_columns), encode_labels(table, label_columns)) for table in (train, test)],
        label_names=label_names,
        feature_names=encoded_names(train, feature_columns),
    )


def read_label_names(path: Path) -> tuple[str, ...]:
    """The names of all labels in a Mulan XML file, parents before the labels inside them.

    Raises:
        DatasetError: If the file is not such a file, has a document type declaration or repeats a name.
    """
    try:
        if path.stat().st_size > MAX_XML_BYTES:
            raise DatasetError(
                f"{path}: larger than {MAX_XML_BYTES:,} bytes; expected a short list of labels"
            )
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot read the file: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    # What is parsed is the text that is searched here, whatever encoding the file declares; only UTF-16
    # would be detected by the parser all the same, by its zero bytes.
    if "\0" in text:
        raise DatasetError(f"{path}: expected XML in UTF-8, got zero bytes; convert the file to UTF-8")
    if "<!doctype" in text.lower() or "<!entity" in text.lower():
        raise DatasetError(f"{path}: document type and entity declarations are refused; remove them")
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise DatasetError(f"{path}: not well-formed XML: {error}") from error
    elements = [element for element in root.iter() if element.tag in ("label", f"{{{NAMESPACE}}}label")]
    names = [element.get("name", "") for element in elements]
    if not names:
        raise DatasetError(
            f'{path}: no labels; expected <labels xmlns="{NAMESPACE}"><label name="..."/> and so on'
        )
    if "" in names:
        raise DatasetError(f'{path}: label {names.index("") + 1} has no name; expected <label name="..."/>')
    if repeated := [label for label, count in Counter(names).items() if count > 1]:
        raise DatasetError(f"{path}: labels must differ, but these occur twice: {shorten(repeated, 10)}")
    return tuple(names)


def find_mulan_files(directory: Path) -> tuple[Path, Path, Path]:
    """The training file, the test file and the XML file of a Mulan folder."""
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file() and path.name[0] != ".")
    except OSError as error:
        raise DatasetError(
            f"{directory}: expected a folder with *train*.arff, *test*.arff and *.xml files: {error.strerror}"
        ) from error
    train, test, xml = (
        _find(directory, files, part, suffix)
        for part, suffix in (("train", ".arff"), ("test", ".arff"), ("", ".xml"))
    )
    if train == test:
        raise DatasetError(f"{train}: named both train and test; expected two files")
    return train, test, xml


def _find(directory: Path, files: list[Path], part: str, suffix: str) -> Path:
    """The one file with ``part`` in its name and the suffix, in whatever case."""
    pattern = f"*{part}*{suffix}" if part else f"*{suffix}"
    found = [path for path in files if path.suffix.lower() == suffix and part in path.stem.lower()]
    if not found:
        held = shorten([path.name for path in files], 10) or "no files"
        raise DatasetError(f"{directory}: no {pattern} file; expected one, but the folder holds {held}")
    if len(found) > 1 and part:  # "test" may be a part of another word
        found = [path for path in found if split_role(path) == part] or found
    if len(found) > 1:
        names = shorten([path.name for path in found])
        raise DatasetError(
            f"{directory}: {len(found)} files match {pattern} ({names}); leave the one to read"
        )
    return found[0]
