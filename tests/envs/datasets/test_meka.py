"""MEKA's ARFF: labels and split from the relation's name, and what each wrong file is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from labelchain.envs.datasets import DatasetError, load_dataset, read_meka
from labelchain.envs.datasets.meka import is_meka

ROWS = ["1,0,0.5,red", "0,0,1.5,green", "0,1,2.5,blue", "1,1,3.5,red", "0,1,4.5,red"]


def meka(folder: Path, relation: str = "Toy: -C 2 -split-number 3", rows: list[str] = ROWS) -> Path:
    columns = ("sea {0,1}", "sky {0,1}", "size numeric", "colour {red,green,blue}")
    head = "".join(f"@attribute {column}\n" for column in columns)
    path = folder / "toy.arff"
    path.write_text(f"% MEKA\n@relation '{relation}'\n{head}@data\n" + "\n".join(rows) + "\n")
    return path


def test_labels_are_the_first_attributes(tmp_path: Path) -> None:
    data = read_meka(meka(tmp_path))
    assert data.name == "toy"
    assert data.label_names == ("sea", "sky")
    assert data.feature_names == ("size", "colour=red", "colour=green", "colour=blue")
    assert data.labels.toarray().tolist() == [[1, 0], [0, 0], [0, 1], [1, 1], [0, 1]]
    assert data.dense_features(np.array([1])).tolist() == [[1.5, 0, 1, 0]]
    assert data.rows("test").tolist() == [3, 4]
    assert load_dataset(tmp_path / "toy.arff").name == "toy"


@pytest.mark.parametrize(
    ("option", "num_train"),
    [
        ("-split-number 3", 3),
        ("-split-percentage 60", 3),
        ("-split-percentage 50", 3),
        ("-split-percentage 49.9", 2),
        ("-i -split-number 4 -split-percentage 10", 4),
    ],
)
def test_split_of_one_file(tmp_path: Path, option: str, num_train: int) -> None:
    data = read_meka(meka(tmp_path, f"Toy: -C 2 {option}"))
    assert data.rows("test").tolist() == list(range(num_train, 5))


def test_labels_are_the_last_attributes(tmp_path: Path) -> None:
    path = tmp_path / "last.arff"
    path.write_text(
        "@relation 'x: -C -2'\n@attribute size numeric\n@attribute sea {0,1}\n@attribute sky {0,1}\n@data\n"
        "0.5,1,0\n1.5,0,1\n2.5,1,1\n"
    )
    data = read_meka(path, path)
    assert data.label_names == ("sea", "sky")
    assert data.feature_names == ("size",)
    assert len(data.rows("test")) == 3


@pytest.mark.parametrize(
    "relation", ["x" * 600 + ": -C 2 -split-number 3", "Toy: -C 2 -split-number 3' % by 'me"]
)
def test_long_relations_and_comments_after_them(tmp_path: Path, relation: str) -> None:
    path = meka(tmp_path, relation)
    assert is_meka(path)
    assert load_dataset(path).label_names == ("sea", "sky")


WRONG = [
    ("Toy", "has no option -C; expected '-C 6'"),
    ("Toy: -C 0", "has the option '-C 0'; expected 1 to 3 or -1 to -3 labels"),
    ("Toy: -C 4", "has the option '-C 4'; expected 1 to 3"),
    ("Toy: -C x", "has the option '-C x'"),
    ("Toy: -C 99999999999999999999", "has the option '-C 99999999999999999999'"),
    ("Toy: -C 2", "gives no split; expected -split-number N, -split-percentage P, or a test file too"),
    ("Toy: -C 2 -split-number 5", "gives 5 training rows, but the file has 5; is it cut short?"),
    ("Toy: -C 2 -split-number 0", "gives 0 training rows"),
    ("Toy: -C 2 -split-percentage 101", "gives 5 training rows"),
    ("Toy: -C 2 -split-percentage many", "gives a split that is no number"),
]


@pytest.mark.parametrize(("relation", "message"), WRONG)
def test_wrong_relations(tmp_path: Path, relation: str, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"toy\.arff: the relation's name, .*{re.escape(message)}"):
        read_meka(meka(tmp_path, relation))


def test_wrong_rows(tmp_path: Path) -> None:
    rows = [*ROWS[:2], "2,0,1,red"]
    with pytest.raises(
        DatasetError, match=r"toy\.arff, line 10: value '2' is not declared by attribute 'sea'"
    ):
        read_meka(meka(tmp_path, rows=rows))
    with pytest.raises(DatasetError, match=r"label 'colour' \{red, green, blue\} must be declared \{0,1\}"):
        read_meka(meka(tmp_path, "x: -C -1 -split-number 2"))
    path = meka(tmp_path, "x: -C 2", [])
    with pytest.raises(DatasetError, match=r"toy\.arff: no rows; expected some after @data"):
        read_meka(path, path)
    other = tmp_path / "other.arff"
    other.write_text(path.read_text().replace("size", "height"))
    with pytest.raises(DatasetError, match="headers differ: 'size' numeric in"):
        read_meka(meka(tmp_path), other)


@pytest.mark.parametrize("text", ["", "% only a comment\n", "\n\n"])
def test_a_file_without_anything_is_not_of_this_format(tmp_path: Path, text: str) -> None:
    path = tmp_path / "set.arff"
    path.write_text(text)
    assert not is_meka(path)
