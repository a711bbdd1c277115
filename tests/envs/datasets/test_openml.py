"""OpenML through scikit-learn, which finds what it would download in its cache."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from sklearn import datasets

from labelchain.envs.datasets import DatasetError, MultilabelDataset, load_dataset, read_openml

COLUMNS = {
    "size": "numeric",
    "sea": "{FALSE,TRUE}",
    "colour": "{red,green,blue}",
    "round": "{no,yes}",
    "sky": "numeric",
}
ROWS = ["0.5,TRUE,red,no,0", "1.5,FALSE,green,yes,1"] * 3
SPARSE = ["{0 0.5,1 TRUE}", "{0 1.5,2 green,3 yes,4 1}"] * 3
EXPECTED = [[0.5, 1, 0, 0, 0], [1.5, 0, 1, 0, 1]] * 3


class OpenML:
    """Files where scikit-learn keeps what OpenML answered."""

    def __init__(self, home: Path) -> None:
        self._home = home / "openml" / "openml.org"

    def publish(
        self,
        columns: dict[str, str] = COLUMNS,
        rows: list[str] = ROWS,
        targets: tuple[str, ...] = ("sky", "sea"),
        *,
        named: str | None = None,
        ignored: tuple[str, ...] = (),
    ) -> int:
        """Put a set called toy, of the number 7, in the cache; the description names targets as ``named``."""
        lines = [f"@attribute {name} {kind}" for name, kind in columns.items()]
        text = "\n".join(["@relation toy", *lines, "@data", *rows, ""])
        address = "data/v1/download/7/toy.arff"
        self._put(address, text)
        description = {
            "id": "7",
            "name": "toy",
            "version": "2",
            "status": "active",
            "description": "a toy",
            "format": "Sparse_ARFF" if rows[0][0] == "{" else "ARFF",
            "url": f"https://api.openml.org/{address}",
            "md5_checksum": hashlib.md5(text.encode()).hexdigest(),
            "default_target_attribute": ",".join(targets) if named is None else named,
        }
        features = [
            {
                "index": str(index),
                "name": name,
                "data_type": "nominal" if kind[0] == "{" else "numeric",
                "is_target": str(name in targets).lower(),
                "is_ignore": str(name in ignored).lower(),
                "is_row_identifier": "false",
                "number_of_missing_values": "0",
            }
            for index, (name, kind) in enumerate(columns.items())
        ]
        quality = [{"name": "NumberOfInstances", "value": f"{len(rows)}.0"}]
        self._put("api/v1/json/data/7", json.dumps({"data_set_description": description}))
        self._put("api/v1/json/data/features/7", json.dumps({"data_features": {"feature": features}}))
        self._put("api/v1/json/data/qualities/7", json.dumps({"data_qualities": {"quality": quality}}))
        return 7

    def _put(self, address: str, text: str) -> None:
        path = self._home / f"{address}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def openml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenML:
    """A cache of scikit-learn, without the network."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    def no_network(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", no_network)
    return OpenML(tmp_path)


def labels(data: MultilabelDataset) -> list[list[int]]:
    return data.labels.toarray().tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("rows", [ROWS, SPARSE], ids=["dense", "sparse"])
def test_labels_and_features(openml: OpenML, rows: list[str]) -> None:
    data = read_openml(openml.publish(rows=rows))
    assert data.name == "toy"
    assert data.is_sparse == (rows is SPARSE)
    assert data.label_names == ("sea", "sky")  # numeric and nominal, in the order of the columns
    assert labels(data) == [[1, 0], [0, 1]] * 3
    assert data.feature_names == ("size", "colour=red", "colour=green", "colour=blue", "round")
    assert data.dense_features(np.arange(6)).tolist() == EXPECTED
    chosen = read_openml(7, ["sky", "round"] if rows is SPARSE else ["round", "sky"])
    assert labels(chosen)[1] == [1, 1]
    assert chosen.feature_names is not None
    assert "sea" in chosen.feature_names


@pytest.mark.parametrize("kind", ["numeric", "{0,1}", "{FALSE,TRUE}"])
def test_labels_of_sparse_rows_are_those_of_the_file(openml: OpenML, kind: str) -> None:
    """As targets, scikit-learn leaves what sparse rows do not name as it was in memory."""
    columns = {"a": "numeric", "b": "numeric", **{f"l{i}": kind for i in range(40)}}
    rng = np.random.default_rng(0)
    expected = rng.random((60, 40)) < 0.1
    true = "TRUE" if "TRUE" in kind else "1"
    rows = [
        "{" + ",".join(["1 2", *(f"{2 + int(label)} {true}" for label in np.flatnonzero(row))]) + "}"
        for row in expected
    ]
    openml.publish(columns, rows, tuple(columns)[2:])
    for _ in range(3):
        garbage = [np.ones((60, 40)) for _ in range(9)]
        del garbage
        assert (read_openml(7).labels.toarray() == expected).all()


def test_what_sparse_rows_leave_out_is_the_first_value_of_a_label(openml: OpenML) -> None:
    columns = COLUMNS | {"sea": "{TRUE,FALSE}"}
    data = read_openml(openml.publish(columns, ["{0 1}", "{1 FALSE}", "{0 3,4 1}", "{0 1}"]))
    assert labels(data) == [[1, 0], [0, 0], [1, 1], [1, 0]]


def test_targets_that_the_description_cuts_short(openml: OpenML) -> None:
    openml.publish(COLUMNS | {"sky": "{0,1}"}, named="sky,se")
    assert read_openml(7).label_names == ("sea", "sky")
    openml.publish(rows=SPARSE, named="sky,se")
    with pytest.raises(DatasetError, match=r"at least two label columns, got none; name them in label_col"):
        read_openml(7)


def test_splits(openml: OpenML) -> None:
    openml.publish()
    data, again = read_openml(7), read_openml("7")
    assert len(data.rows("test")) == 2
    np.testing.assert_array_equal(data.rows("test"), again.rows("test"))
    assert read_openml(7, test_rows=[0, 1]).rows("test").tolist() == [0, 1]
    assert read_openml(7, train_rows=[0, 1, 2]).rows("test").tolist() == [3, 4, 5]
    assert read_openml(7, train_rows=[0, 1], test_rows=[5]).rows("test").tolist() == [5]


@pytest.fixture
def calls(openml: OpenML, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What scikit-learn is asked for; it answers with the set toy."""
    made: list[dict[str, Any]] = []
    openml.publish()
    fetch = datasets.fetch_openml

    def fetch_toy(name: Any = None, version: Any = None, data_id: Any = None, **arguments: Any) -> Any:
        made.append({"name": name, "version": version, "data_id": data_id, **arguments})
        return fetch(data_id=7, **arguments)

    monkeypatch.setattr(datasets, "fetch_openml", fetch_toy)
    return made


def test_by_name_and_by_number(calls: list[dict[str, Any]]) -> None:
    read_openml("toy", version=2)
    assert (calls[0]["name"], calls[0]["version"], calls[0]["data_id"]) == ("toy", 2, None)
    assert calls[0]["as_frame"] is False  # pandas is not needed
    read_openml("41473", ["sea", "sky"])
    read_openml(41473)
    assert [(call["name"], call["data_id"]) for call in calls[1:]] == [(None, 41473)] * 2


@pytest.mark.parametrize("name", ["\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT FOUR}", "9" * 5000])
def test_what_is_no_number_is_a_name(calls: list[dict[str, Any]], name: str) -> None:
    read_openml(name)
    assert calls[0]["name"] == name


def test_by_name_for_load_dataset(calls: list[dict[str, Any]]) -> None:
    assert load_dataset("openml:toy-for-the-cache") is load_dataset("openml:toy-for-the-cache")
    assert len(calls) == 1


@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_offline(openml: OpenML, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(
        DatasetError, match=r"OpenML data set toy: OpenML cannot be reached .*Go online, or fetch the set on"
    ):
        read_openml("toy")


def test_unknown_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(**_: Any) -> None:
        raise ValueError("No active dataset toy found.")

    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    with pytest.raises(DatasetError, match=r"OpenML data set toy: No active dataset toy found\."):
        read_openml("toy")


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TRUE", "?", "label 'sea' has no value in 3 rows, such as row 0; expected 0 and 1"),
        ("4 1", "4 ?", "label 'sky' has no value in 3 rows, such as row 1"),
        ("4 1", "4 3", "label 'sky' has the value '3'; expected 0 and 1"),
        ("0 0.5", "0 ?", "row 0 holds NaN or infinity; impute or drop"),
        ("2 green", "2 ?", "row 1 holds NaN or infinity; impute or drop"),
    ],
)
def test_missing_and_wrong_values(openml: OpenML, is_sparse: bool, old: str, new: str, message: str) -> None:
    if is_sparse:
        rows = [row.replace(old, new) for row in SPARSE]
    else:
        cells = [old.split()[-1], new.split()[-1]]
        rows = [",".join(cells[1] if cell == cells[0] else cell for cell in row.split(",")) for row in ROWS]
    assert rows not in (ROWS, SPARSE)
    with pytest.raises(DatasetError, match=f"^OpenML data set 7: .*{message}"):
        read_openml(openml.publish(rows=rows))


@pytest.mark.parametrize(
    ("targets", "ignored", "chosen", "message"),
    [
        (("sea",), (), None, "at least two label columns, got sea; name them"),
        ((), (), None, "at least two label columns, got none; name them"),
        (("sea", "sky"), (), ["sea"], "at least two label columns, got sea; name them"),
        (("sea", "sky"), (), ["sea", "fog"], "no column 'fog', or OpenML marks it as one to ignore"),
        (("sea", "sky"), ("sky",), ["sea", "sky"], "no column 'sky', or .* among size, sea, colour, round$"),
        (("sea", "sky"), (), ["sea", "colour"], "label 'colour' has the value 'red'; expected 0 and 1"),
        (("sea", "sky"), (), ["sea", "sea"], "label names must differ, but 'sea' occurs twice"),
    ],
)
def test_wrong_columns(
    openml: OpenML, targets: tuple[str, ...], ignored: tuple[str, ...], chosen: Any, message: str
) -> None:
    openml.publish(targets=targets, ignored=ignored)
    with pytest.raises(DatasetError, match=f"^OpenML data set 7: .*{message}"):
        read_openml(7, chosen)
