"""The ARFF notation: what is read, and what each wrong line is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelchain.envs.datasets import DatasetError
from labelchain.envs.datasets.arff import ArffTable, read_arff
from labelchain.envs.datasets.arff_encoding import encode, encode_labels, encoded_names

Reader = Callable[[str | bytes], ArffTable]
HEADER = """@relation toy
@attribute size numeric
@attribute colour {red,green,'dark blue'}
@attribute round {0,1}
@data
"""


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def write_and_read(text: str | bytes) -> ArffTable:
        path = tmp_path / "toy.arff"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_arff(path)

    return write_and_read


def names(table: ArffTable) -> list[str]:
    return [attribute.name for attribute in table.attributes]


def dense(table: ArffTable) -> list[list[float]]:
    values = table.values.toarray() if table.is_sparse else table.values
    return values.tolist()  # type: ignore[no-any-return]


def test_dense_rows(read: Reader) -> None:
    table = read(HEADER + "1.5,red,0\n-2e3,'dark blue',1\n")
    assert table.relation == "toy"
    assert names(table) == ["size", "colour", "round"]
    assert table.attributes[1].values == ("red", "green", "dark blue")
    assert not table.is_sparse
    assert dense(table) == [[1.5, 0, 0], [-2000, 2, 1]]
    assert table.lines.tolist() == [6, 7]


def test_sparse_rows_leave_out_zero_and_the_first_declared_value(read: Reader) -> None:
    table = read(HEADER + "{0 1.5, 2 1}\n{}\n{ }\n{1 'dark blue'}\n{0 0,1 red,2 1}\n")
    assert table.is_sparse
    assert table.values.indices.dtype == np.int32
    assert dense(table) == [[1.5, 0, 1], [0, 0, 0], [0, 0, 0], [0, 2, 0], [0, 0, 1]]
    assert table.values.nnz == 4


def test_comments_blank_lines_and_case(read: Reader) -> None:
    table = read(
        "% about this file\n\n@RELATION 'a toy: -C 2'\n%more\n  @Attribute\tsize\tREAL % in metres\n"
        "@ATTRIBUTE n Integer\n@attribute c { a , 'b,}c' } % a comment\n\n@DATA\n% rows\n"
        "\n 1 , 2 , a \n3,4,'b,}c'\n"
    )
    assert table.relation == "a toy: -C 2"
    assert names(table) == ["size", "n", "c"]
    assert table.attributes[2].values == ("a", "b,}c")
    assert dense(table) == [[1, 2, 0], [3, 4, 1]]
    assert table.lines.tolist() == [12, 13]


def test_comments_with_braces_and_quotes(read: Reader) -> None:
    table = read(
        "@relation 'toy: -C 2' % it's {mine}\n@attribute c {x,y} % see {1}\n@attribute d {'%}',b}% it's\n"
        "@attribute e {a}b,c}\n@data\ny,'%}',a}b\n"
    )
    assert table.relation == "toy: -C 2"
    assert [attribute.values for attribute in table.attributes] == [("x", "y"), ("%}", "b"), ("a}b", "c")]
    assert dense(table) == [[1, 0, 0]]


def test_quotes_and_escapes(read: Reader) -> None:
    table = read(
        "@relation r\n"
        r"""@attribute 'Stellar\'s Jay' numeric"""
        "\n"
        r"""@attribute "say \"x\", \\ or \t" numeric"""
        "\n"
        r"""@attribute plain\'quote numeric"""
        "\n"
        r"""@attribute c {'it\'s',"a, b",'','?'}"""
        "\n@data\n"
        r"""1,2,3,'it\'s'"""
        "\n4,5,6,\"a, b\"\n'7',8,9,''\n0,0,0,'?'\n"
    )
    assert names(table)[:3] == ["Stellar's Jay", 'say "x", \\ or \t', r"plain\'quote"]
    assert table.attributes[3].values == ("it's", "a, b", "", "?")
    assert dense(table) == [[1, 2, 3, 0], [4, 5, 6, 1], [7, 8, 9, 2], [0, 0, 0, 3]]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(read: Reader, ending: str) -> None:
    assert dense(read((HEADER + "1,red,0\n2,green,1").replace("\n", ending))) == [[1, 0, 0], [2, 1, 1]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings(read: Reader, encoding: str) -> None:
    table = read("@relation r\n@attribute diseño numeric\n@data\n1\n".encode(encoding))
    assert names(table) == ["diseño"]


def test_no_rows_are_no_error_here(read: Reader) -> None:
    table = read(HEADER)
    assert table.values.shape == (0, 3)
    assert table.lines.size == 0


HEADER_ERRORS = [
    ("<html>\n", 1, "expected @relation, @attribute or @data, got '<html>'; is this ARFF?"),
    ("@relation 'x\n", 1, "a quote (') is not closed"),
    ("@relation 'x' y\n", 1, "expected one quoted text, got"),
    ("@relation r\n@data\n1\n", 2, "@data comes before any @attribute"),
    ("@relation r\n@attribute a\n", 2, "expected '@attribute <name> <type>', got '@attribute a'"),
    ("@relation r\n@attribute\n", 2, "expected '@attribute <name> <type>'"),
    ("@relation r\n@attribute 'a numeric\n", 2, "a quote (') is not closed"),
    (
        "@relation r\n@attribute a string\n",
        2,
        "attribute 'a' has type 'string', which is not supported; expected",
    ),
    (
        "@relation r\n@attribute a date yyyy\n",
        2,
        "attribute 'a' has type 'date yyyy', which is not supported",
    ),
    ("@relation r\n@attribute a relational\n", 2, "has type 'relational', which is not supported"),
    ("@relation r\n@attribute a numeric [0,1]\n", 2, "has type 'numeric [0,1]', which is not supported"),
    ("@relation r\n@attribute a {0,1\n", 2, "the values of attribute 'a' must end with '}'"),
    ("@relation r\n@attribute a {}\n", 2, "attribute 'a' declares an empty value in '{}'"),
    ("@relation r\n@attribute a {0,,1}\n", 2, "attribute 'a' declares an empty value in '{0,,1}'"),
    ("@relation r\n@attribute a {0,1,0}\n", 2, "attribute 'a' declares a value twice in '{0,1,0}'"),
    (
        "@relation r\n@attribute a real\n\n@attribute a {0,1}\n",
        4,
        "attribute 'a' is on line 2 already; rename one",
    ),
]
DENSE_ERRORS = [
    ("1,red", "expected 3 values, one per attribute, got 2"),
    ("1,red,0,1", "expected 3 values, one per attribute, got 4"),
    ("1,red,0,{5}", "weights of rows, such as {5}, are not supported; remove them"),
    ("one,red,0", "expected a finite number for attribute 'size', got 'one'"),
    (",red,0", "expected a finite number for attribute 'size', got ''"),
    ("1_000,red,0", "expected a finite number for attribute 'size', got '1_000'"),
    ("nan,red,0", "expected a finite number for attribute 'size', got 'nan'"),
    ("-inf,red,0", "expected a finite number for attribute 'size', got '-inf'"),
    ("1e999,red,0", "expected a finite number for attribute 'size', got '1e999'"),
    ("?,red,0", "missing value '?' of attribute 'size'; fill in or drop such rows"),
    ("1, ? ,0", "missing value '?' of attribute 'colour'"),
    ("1,blue,0", "value 'blue' is not declared by attribute 'colour' {red, green, dark blue}"),
    ("1,red,0.0", "value '0.0' is not declared by attribute 'round' {0, 1}"),
    ("1,'red,0", "a quote (') is not closed"),
    ("1,'red'x,0", "expected one quoted text"),
    ("{0 1}", "this row is sparse, but those before it are dense; expected one form"),
]
SPARSE_ERRORS = [
    ("{0 1,2 1", "sparse row without closing brace '}'; is the file cut short?"),
    ("{0 1} x", "expected nothing after the closing brace '}', got ' x'"),
    ("{0 1,2 1} , {0.5}", "weights of rows, such as {0.5}, are not supported; remove them"),
    ("{0 1,}", "expected 'index value', got ''"),
    ("{0}", "expected 'index value', got '0'"),
    ("{0, 1 5}", "expected 'index value', got '0'"),
    ("{a 1}", "expected 'index value', got 'a 1'"),
    ("{-1 1}", "expected 'index value', got '-1 1'"),
    ("{+1 red}", "expected 'index value', got '+1 red'"),
    ("{3 1}", "index 3 is out of range: attributes are numbered 0..2"),
    ("{99999999999999999999 1}", "index 99999999999999999999 is out of range"),
    ("{2 1,0 1}", "indices must ascend without repetition, but 0 follows 2"),
    ("{0 1,0 1}", "indices must ascend without repetition, but 0 follows 0"),
    ("{0 0,0 1}", "indices must ascend without repetition, but 0 follows 0"),
    ("{0 x}", "expected a finite number for attribute 'size', got 'x'"),
    ("{0 1 2}", "expected a finite number for attribute 'size', got '1 2'"),
    ("{0 ?}", "missing value '?' of attribute 'size'"),
    ("{1 blue}", "value 'blue' is not declared by attribute 'colour'"),
    ("1,red,0", "this row is dense, but those before it are sparse"),
]


@pytest.mark.parametrize(("text", "line", "reason"), HEADER_ERRORS)
def test_wrong_header(read: Reader, text: str, line: int, reason: str) -> None:
    with pytest.raises(DatasetError, match=rf"toy\.arff, line {line}: .*{re.escape(reason)}"):
        read(text)


@pytest.mark.parametrize(
    ("before", "row", "reason"),
    [("1,red,0", *case) for case in DENSE_ERRORS] + [("{0 1}", *case) for case in SPARSE_ERRORS],
)
def test_wrong_row(read: Reader, before: str, row: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=rf"toy\.arff, line 7: .*{re.escape(reason)}"):
        read(f"{HEADER}{before}\n{row}\n")


@pytest.mark.parametrize("text", ["", "@relation r\n@attribute a numeric\n"])
def test_no_data_line(read: Reader, text: str) -> None:
    with pytest.raises(DatasetError, match=r"toy\.arff: no @data line; expected a header, @data and rows"):
        read(text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.arff: cannot read the file: No such file"):
        read_arff(tmp_path / "none.arff")


def test_long_lists_of_values_are_shortened_in_messages(read: Reader) -> None:
    values = ",".join(f"v{i}" for i in range(100))
    with pytest.raises(DatasetError, match=re.escape("'a' {v0, v1, v2, v3, v4, ... (100 in all)}")):
        read(f"@relation r\n@attribute a {{{values}}}\n@data\nw\n")


number = st.floats(allow_nan=False, allow_infinity=False)
value = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\t"), max_size=6)


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(
    name=value.filter(bool),
    values=st.lists(value, min_size=1, max_size=4, unique=True),
    rows=st.lists(st.tuples(number, st.integers(0, 3)), max_size=5),
    is_sparse=st.booleans(),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(
    read: Reader, name: str, values: list[str], rows: list[tuple[float, int]], is_sparse: bool
) -> None:
    rows = [(x, code % len(values)) for x, code in rows]
    cells = [(repr(x), quote(values[code])) for x, code in rows]
    lines = [f"{{0 {a},1 {b}}}" if is_sparse else f"{a},{b}" for a, b in cells]
    declared = ",".join(map(quote, values))
    header = [
        f"@relation {quote(name)}",
        "@attribute x real",
        f"@attribute {quote(name)} {{{declared}}}",
        "@data",
    ]
    if name == "x":
        return
    table = read("\n".join(header + lines))
    assert (table.relation, names(table)[1], table.attributes[1].values) == (name, name, tuple(values))
    assert dense(table) == [list(row) for row in rows]


@given(st.text(st.sampled_from("{}0123 ,'\"\\%?@ab.\n-"), max_size=60))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_are_read_or_refused_with_a_line(read: Reader, text: str) -> None:
    try:
        table = read(HEADER + text)
    except DatasetError as error:
        assert re.match(r".*toy\.arff, line \d+: .", str(error))
    else:
        assert table.values.shape == (table.lines.size, 3)


ENCODED = """@relation r
@attribute a {1,2,3}
@attribute b {0,1}
@attribute c {1,0}
@attribute d {7}
@attribute e {no,yes}
@attribute f numeric
@data
"""
ENCODED_NAMES = ["a=1", "a=2", "a=3", "b", "c", "d", "e=no", "e=yes", "f"]


def test_nominal_attributes_become_numbers(read: Reader) -> None:
    table = read(ENCODED + "2,1,1,7,no,0.5\n3,0,0,7,yes,-1\n")
    assert encoded_names(table, range(6)) == ENCODED_NAMES
    encoded = encode(table, range(6))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[0, 1, 0, 1, 1, 7, 1, 0, 0.5], [0, 0, 1, 0, 0, 7, 0, 1, -1]]
    assert encode(table, [5, 1]).tolist() == [[0.5, 1], [-1, 0]]


def test_two_values_that_are_one_number_or_none(read: Reader) -> None:
    kinds = ("{2019_1,2020_1}", "{1,1.0}", "{1,1.00000001}", "{1,2}")
    attributes = "".join(f"@attribute {name} {kind}\n" for name, kind in zip("abcd", kinds, strict=True))
    table = read(f"@relation r\n{attributes}@data\n2020_1,1.0,1,2\n")
    assert encode(table, range(4)).tolist() == [[0, 1, 0, 1, 1, 0, 2]]
    assert encoded_names(table, range(4))[:3] == ["a=2019_1", "a=2020_1", "b=1"]


def test_many_declared_values_make_sparse_columns(read: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few kilobytes may declare values that, one column each, fill the memory with zeros."""
    rows = "2,1,1,7,no,0.5\n3,0,0,7,yes,-1\n"
    dense = encode(read(ENCODED + rows), range(6))
    monkeypatch.setattr("labelchain.envs.datasets.arff_encoding.MAX_DENSE", 2 * len(ENCODED_NAMES) - 1)
    many = encode(read(ENCODED + rows), range(6))
    assert sparse.issparse(many)
    assert many.dtype == np.float32
    assert many.toarray().tolist() == dense.tolist()
    values = ",".join(map(str, range(20_000)))
    text = f"@relation r\n@attribute a {{{values}}}\n@attribute b {{{values}}}\n@data\n"
    assert encode(read(text + "3,4\n" * 20_000), [0, 1]).nnz == 40_000


def test_first_declared_value_of_a_sparse_row(read: Reader) -> None:
    encoded = encode(read(ENCODED + "{}\n{0 3,2 0,5 2}\n"), range(6))
    assert encoded.format == "csr"
    assert encoded.dtype == np.float32
    assert encoded.toarray().tolist() == [[1, 0, 0, 0, 1, 7, 1, 0, 0], [0, 0, 1, 0, 0, 7, 1, 0, 2]]


@pytest.mark.parametrize("rows", ["0,1,1\n1e39,0,0\n", "{1 1}\n{0 -1e39}\n"])
def test_numbers_beyond_float32(read: Reader, rows: str) -> None:
    table = read("@relation r\n@attribute a real\n@attribute b {0,1}\n@attribute c {1,0}\n@data\n" + rows)
    with pytest.raises(
        DatasetError, match=r"toy\.arff, line 7: -?1e\+39 is too large for float32; rescale it"
    ):
        encode(table, [0, 1])


@pytest.mark.parametrize("rows", ["0,1\n1,0\n", "{1 1}\n{0 1,1 0}\n"])
def test_labels(read: Reader, rows: str) -> None:
    header = "@relation r\n@attribute a {0,1}\n@attribute b numeric\n@data\n"
    labels = encode_labels(read(header + rows), [1, 0])
    assert labels.toarray().tolist() == [[1, 0], [0, 1]]
    assert labels.nnz == 2


def test_label_values_other_than_0_and_1(read: Reader) -> None:
    header = "@relation r\n@attribute a {yes,no}\n@attribute b numeric\n@data\n"
    table = read(header + "yes,1\n\nno,2\n")
    with pytest.raises(DatasetError, match=r"toy\.arff, line 7: label 'b' must be 0 or 1, got 2"):
        encode_labels(table, [1])
    with pytest.raises(
        DatasetError, match=r"line 2: label 'a' \{yes, no\} must be declared \{0,1\} or numeric"
    ):
        encode_labels(table, [1, 0])
