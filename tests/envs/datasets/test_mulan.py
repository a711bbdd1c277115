"""Mulan folders: what is read, and what each wrong folder or file is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from labelchain.envs.datasets import DatasetError, load_dataset, read_mulan
from labelchain.envs.datasets.mulan import MAX_XML_BYTES, read_label_names

HEADER = """@relation toy
@attribute sky {0,1}
@attribute size numeric
@attribute kind {a,b,c}
@attribute 'deep sea' {0,1}
@data
"""
TRAIN = HEADER + "1,0.5,a,0\n0,1.5,b,1\n0,2.5,c,0\n"
TEST = HEADER + "1,3.5,a,1\n0,4.5,a,0\n"
XML = """<?xml version="1.0" encoding="utf-8"?>
<labels xmlns="http://mulan.sourceforge.net/labels">
<label name="deep sea"></label>
<label name="sky"></label>
</labels>"""


def write(folder: Path, train: str = TRAIN, test: str = TEST, xml: str = XML) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "toy-train.arff").write_text(train)
    (folder / "toy-test.arff").write_text(test)
    (folder / "toy.xml").write_text(xml)
    return folder


def test_dense_folder(tmp_path: Path) -> None:
    dataset = read_mulan(write(tmp_path / "toy"))
    assert dataset.name == "toy"
    assert not dataset.is_sparse
    assert dataset.feature_names == ("size", "kind=a", "kind=b", "kind=c")
    rows = [[0.5, 1, 0, 0], [1.5, 0, 1, 0], [2.5, 0, 0, 1], [3.5, 1, 0, 0], [4.5, 1, 0, 0]]
    np.testing.assert_array_equal(dataset.features, np.array(rows, dtype=np.float32))
    assert dataset.label_names == ("deep sea", "sky")  # in the order of the XML
    assert dataset.labels.toarray().tolist() == [[0, 1], [1, 0], [0, 0], [1, 1], [0, 0]]
    assert sorted([*dataset.rows("train"), *dataset.rows("validation")]) == [0, 1, 2]
    assert len(dataset.rows("validation")) == 1
    assert dataset.rows("test").tolist() == [3, 4]


def test_sparse_folder(tmp_path: Path) -> None:
    dense = read_mulan(write(tmp_path / "dense"))
    train = HEADER + "{0 1,1 0.5}\n{1 1.5,2 b,3 1}\n{1 2.5,2 c}\n"
    test = HEADER + "{0 1, 1 3.5, 3 1}\n{1 4.5}\n"
    sparse = read_mulan(write(tmp_path / "sparse", train, test), name="renamed")
    assert sparse.name == "renamed"
    assert sparse.is_sparse
    np.testing.assert_array_equal(sparse.dense_features(np.arange(5)), dense.features)
    np.testing.assert_array_equal(sparse.labels.toarray(), dense.labels.toarray())
    assert sparse.label_names == dense.label_names
    mixed = read_mulan(write(tmp_path / "mixed", train, TEST))
    assert mixed.is_sparse
    np.testing.assert_array_equal(mixed.dense_features(np.arange(5)), dense.features)


def test_names_of_files_in_any_case(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "toy-train.arff").rename(tmp_path / "Toy-TRAIN-sparse.ARFF")
    (tmp_path / "toy.xml").rename(tmp_path / "Toy.XML")
    (tmp_path / "readme.txt").touch()
    assert read_mulan(tmp_path).num_labels == 2


def test_a_folder_that_is_named_by_a_dot_has_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path / "toy"))
    assert read_mulan(Path()).name == "toy"


@pytest.mark.parametrize("name", ["toy-train.arff", "toy-test.arff", "toy.xml"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    held = ", ".join(sorted({"toy-train.arff", "toy-test.arff", "toy.xml"} - {name}))
    pattern = re.escape(f"no *{name.removeprefix('toy').removeprefix('-').replace('.arff', '*.arff')} file")
    with pytest.raises(
        DatasetError, match=rf"{re.escape(str(tmp_path))}: {pattern}; .*the folder holds {held}"
    ):
        read_mulan(tmp_path)


@pytest.mark.parametrize("name", ["contest", "latest", "trained"])
def test_a_role_inside_another_word(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    for part in ("train", "test"):
        (tmp_path / f"toy-{part}.arff").rename(tmp_path / f"{name}-{part}.arff")
    assert read_mulan(tmp_path).rows("test").tolist() == [3, 4]
    assert load_dataset(tmp_path).name == tmp_path.name


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    """macOS puts ``._name`` beside each file that it copies to a foreign disk."""
    write(tmp_path)
    for file in list(tmp_path.iterdir()):
        (tmp_path / f"._{file.name}").write_bytes(b"\0\5\x16\7")
    train, test = tmp_path / "toy-train.arff", tmp_path / "toy-test.arff"
    assert read_mulan(tmp_path).num_labels == 2
    for paths in ((tmp_path,), (train,), (train, test)):
        assert load_dataset(*paths).num_labels == 2


def test_two_candidates(tmp_path: Path) -> None:
    (write(tmp_path) / "toy-train-2.arff").touch()
    message = "2 files match *train*.arff (toy-train-2.arff, toy-train.arff); leave the one to read"
    with pytest.raises(DatasetError, match=re.escape(message)):
        read_mulan(tmp_path)


def test_one_file_for_both_splits(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "toy-test.arff").unlink()
    (tmp_path / "toy-train.arff").rename(tmp_path / "toy-train-test.arff")
    with pytest.raises(
        DatasetError, match=r"toy-train-test\.arff: named both train and test; expected two files"
    ):
        read_mulan(tmp_path)


@pytest.mark.parametrize("exists", [True, False])
def test_no_folder(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "toy"
    if exists:
        path.touch()
    with pytest.raises(
        DatasetError, match=r"toy: expected a folder with \*train\*\.arff, \*test\*\.arff and \*\.xml"
    ):
        read_mulan(path)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected one, but the folder holds no files"):
        read_mulan(tmp_path)


@pytest.mark.parametrize(
    ("train", "test", "reason"),
    [
        (HEADER, TEST, "toy-train.arff: training split is empty; expected rows after @data"),
        (TRAIN, HEADER, "toy-test.arff: test split is empty; expected rows after @data"),
        (HEADER + "1,0.5,a,0\n", TEST, "toy: training split has 1 row; holding out a tenth needs two"),
        (TRAIN + "1,2,d,0", TEST, "toy-train.arff, line 10: value 'd' is not declared"),
        (TRAIN, TEST + "1,?,a,0", "toy-test.arff, line 9: missing value '?' of attribute 'size'"),
        (TRAIN, TEST + "1,1e39,a,0", "toy-test.arff, line 9: 1e+39 is too large for float32"),
    ],
)
def test_wrong_rows(tmp_path: Path, train: str, test: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(reason)) as caught:
        read_mulan(write(tmp_path / "toy", train, test))
    assert str(tmp_path / "toy") in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "size numeric",
            "mass numeric",
            "'size' numeric in {}/toy-train.arff, line 3, but 'mass' numeric in",
        ),
        ("{a,b,c}", "{a,c,b}", "'kind' {a, b, c} in {}/toy-train.arff, line 4, but 'kind' {a, c, b} in"),
        (
            "@data",
            "@attribute more real\n@data",
            "4 attributes in {}/toy-train.arff, but 5 in {}/toy-test.arff",
        ),
    ],
)
def test_headers_that_differ(tmp_path: Path, old: str, new: str, reason: str) -> None:
    test = HEADER.replace(old, new)
    with pytest.raises(
        DatasetError, match=re.escape("headers differ: " + reason.replace("{}/", f"{tmp_path}/"))
    ):
        read_mulan(write(tmp_path, TRAIN, test))


def test_labels_that_are_no_attributes(tmp_path: Path) -> None:
    more = "".join(f'<label name="l{i}"/>' for i in range(12))
    listed = ", ".join(f"l{i}" for i in range(10))
    message = f"labels in {tmp_path}/toy.xml but not in toy-train.arff: {listed}, ... (12 in all)"
    with pytest.raises(DatasetError, match=re.escape(message)):
        read_mulan(write(tmp_path, xml=XML.replace("</labels>", more + "</labels>")))


def test_no_features(tmp_path: Path) -> None:
    header = "@relation r\n@attribute sky {0,1}\n@attribute 'deep sea' {0,1}\n@data\n"
    with pytest.raises(DatasetError, match=r"toy-train\.arff: every attribute is a label of toy\.xml"):
        read_mulan(write(tmp_path, header + "0,1\n1,0\n", header + "0,1\n"))


def test_label_that_is_not_0_or_1(tmp_path: Path) -> None:
    train, test = (text.replace("sky {0,1}", "sky numeric") for text in (TRAIN, TEST + "3,0.5,a,0\n"))
    with pytest.raises(DatasetError, match=r"toy-test\.arff, line 9: label 'sky' must be 0 or 1, got 3"):
        read_mulan(write(tmp_path, train, test))
    with pytest.raises(
        DatasetError, match=r"toy-train\.arff, line 4: label 'kind' \{a, b, c\} must be declared"
    ):
        read_mulan(write(tmp_path, xml=XML.replace('"sky"', '"kind"')))


def label_names(folder: Path, content: str | bytes) -> tuple[str, ...]:
    path = folder / "toy.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_label_names(path)


def test_nested_labels_parents_first(tmp_path: Path) -> None:
    xml = '<label name="a"><label name="b"><label name="c"/></label><label name="d"/></label>'
    xml = f'<labels xmlns="http://mulan.sourceforge.net/labels">{xml}</labels>'
    assert label_names(tmp_path, xml) == ("a", "b", "c", "d")


def test_labels_without_namespace_and_other_elements(tmp_path: Path) -> None:
    xml = '<labels><!-- two --><note name="x"/><label name="a &amp; b"/><label name="it\'s ??"/></labels>'
    assert label_names(tmp_path, xml) == ("a & b", "it's ??")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings_of_the_xml(tmp_path: Path, encoding: str) -> None:
    assert label_names(tmp_path, '<labels><label name="diseño"/></labels>'.encode(encoding)) == ("diseño",)


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "not well-formed XML"),
        ("<labels><label name='a'></labels>", "not well-formed XML: mismatched tag: line 1"),
        ("<labels/>", "no labels; expected <labels"),
        ("<labels><label name='a'/><label/></labels>", 'label 2 has no name; expected <label name="..."/>'),
        (
            "<labels><label name='a'/><label name='a'/></labels>",
            "labels must differ, but these occur twice: a",
        ),
        ("<!DOCTYPE x []><labels/>", "document type and entity declarations are refused; remove them"),
        ("<!doctype x SYSTEM 'file:///etc/passwd'><labels/>", "declarations are refused"),
        ("<labels><!ENTITY a 'b'></labels>", "declarations are refused"),
        ("<labels><label name='&a;'/></labels>", "not well-formed XML: undefined entity"),
        *[
            (f"<!DOCTYPE x []>{XML}".encode(encoding), "expected XML in UTF-8, got zero bytes")
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")
        ],
        ('<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x []><labels/>', "not well-formed XML"),
    ],
)
def test_wrong_xml(tmp_path: Path, xml: str | bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=rf"toy\.xml: .*{re.escape(reason)}"):
        label_names(tmp_path, xml)


def test_xml_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "toy.xml"
    with path.open("wb") as file:
        file.truncate(MAX_XML_BYTES + 1)
    with pytest.raises(DatasetError, match=r"toy\.xml: larger than 16,777,216 bytes; expected a short list"):
        read_label_names(path)


def test_missing_xml(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.xml: cannot read the file: No such file"):
        read_label_names(tmp_path / "none.xml")
