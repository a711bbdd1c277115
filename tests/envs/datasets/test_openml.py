"""OpenML through scikit-learn, with a stub in place of the network."""

from __future__ import annotations

from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from scipy import sparse
from sklearn import datasets
from sklearn.utils import Bunch

from labelchain.envs.datasets import DatasetError, load_dataset, read_openml

FEATURES = np.array([[0.5, 0], [1.5, 1], [2.5, 2], [3.5, 0], [4.5, 1], [5.5, 2]])
TARGET = np.array([["TRUE", "0"], ["FALSE", "1"]] * 3, dtype=object)


def bunch(**changes: Any) -> Bunch:
    content = {
        "data": FEATURES,
        "target": TARGET,
        "feature_names": ["size", "colour"],
        "target_names": ["sea", "sky"],
        "categories": {"colour": ["red", "green", "blue"], "sea": ["FALSE", "TRUE"]},
        "details": {"name": "toy", "id": "7"},
    }
    return Bunch(**(content | changes))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def fetch(**arguments: Any) -> Bunch:
        made.append(arguments)
        return bunch()

    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    return made


def answer(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr(datasets, "fetch_openml", lambda **_: bunch(**changes))


def test_labels_and_features(calls: list[dict[str, Any]]) -> None:
    data = read_openml("toy", version=2)
    assert calls[0]["name"] == "toy"
    assert calls[0]["version"] == 2
    assert calls[0]["target_column"] == "default-target"
    assert calls[0]["as_frame"] is False  # pandas is not needed
    assert data.name == "toy"
    assert data.label_names == ("sea", "sky")
    assert data.labels.toarray().tolist() == [[1, 0], [0, 1]] * 3
    assert data.feature_names == ("size", "colour=red", "colour=green", "colour=blue")
    assert data.dense_features(np.array([1, 2])).tolist() == [[1.5, 0, 1, 0], [2.5, 0, 0, 1]]


def test_by_number_and_with_columns(calls: list[dict[str, Any]]) -> None:
    read_openml("41473", ["sea", "sky"])
    read_openml(41473)
    assert [call["data_id"] for call in calls] == [41473, 41473]
    assert calls[0]["target_column"] == ["sea", "sky"]
    assert "name" not in calls[0]


@pytest.mark.parametrize("name", ["\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT FOUR}", "9" * 5000])
def test_what_is_no_number_is_a_name(calls: list[dict[str, Any]], name: str) -> None:
    read_openml(name)
    assert calls[0]["name"] == name


def test_splits(calls: list[dict[str, Any]]) -> None:
    data, again = read_openml("toy"), read_openml("toy")
    assert len(data.rows("test")) == 2
    np.testing.assert_array_equal(data.rows("test"), again.rows("test"))
    assert read_openml("toy", test_rows=[0, 1]).rows("test").tolist() == [0, 1]
    assert read_openml("toy", train_rows=[0, 1, 2]).rows("test").tolist() == [3, 4, 5]
    assert read_openml("toy", train_rows=[0, 1], test_rows=[5]).rows("test").tolist() == [5]


def test_by_name_for_load_dataset(calls: list[dict[str, Any]]) -> None:
    assert load_dataset("openml:toy-for-the-cache") is load_dataset("openml:toy-for-the-cache")
    assert len(calls) == 1


@pytest.mark.parametrize("nominal", [True, False])
def test_sparse_features_stay_sparse(monkeypatch: pytest.MonkeyPatch, nominal: bool) -> None:
    categories = bunch().categories if nominal else {}
    answer(monkeypatch, data=sparse.csr_matrix(FEATURES), categories=categories)
    data = read_openml("toy")
    assert data.is_sparse
    expected = [[1.5, 0, 1, 0]] if nominal else [[1.5, 1]]
    assert data.dense_features(np.array([1])).tolist() == expected


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(**_: Any) -> Bunch:
        raise URLError("no route to host")

    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    with pytest.raises(
        DatasetError, match=r"OpenML data set toy: OpenML cannot be reached .*Go online, or fetch the set on"
    ):
        read_openml("toy")


def test_unknown_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(**_: Any) -> Bunch:
        raise ValueError("No active dataset toy found.")

    monkeypatch.setattr(datasets, "fetch_openml", fetch)
    with pytest.raises(DatasetError, match=r"OpenML data set toy: No active dataset toy found\."):
        read_openml("toy")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": TARGET[:, 0], "target_names": ["sea"]}, "at least two label columns, got sea; name them"),
        ({"target": None, "target_names": []}, "at least two label columns, got none"),
        ({"target": np.array([["3", "0"]] * 6)}, "label 'sea' has the value '3'; expected 0 and 1"),
        ({"target": np.array([[np.nan, 0]] * 6)}, "label 'sea' has the value 'nan'; expected 0 and 1"),
        (
            {"data": np.where(FEATURES == 0.5, np.nan, FEATURES)},
            "row 0 holds NaN or infinity; impute or drop",
        ),
        ({"data": np.where(FEATURES == 0, np.nan, FEATURES)}, "row 0 holds NaN or infinity; impute or drop"),
    ],
)
def test_wrong_sets(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str) -> None:
    answer(monkeypatch, **changes)
    with pytest.raises(DatasetError, match=f"^OpenML data set toy: .*{message}"):
        read_openml("toy")
