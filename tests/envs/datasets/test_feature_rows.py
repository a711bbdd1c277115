"""Rows for prediction: those of the readers, some at a time, whatever the labels are."""

import os
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from labelchain.envs.datasets import DatasetError, load_dataset, read_libsvm, read_npz, write_npz
from labelchain.envs.datasets.feature_rows import feature_rows

XC = ["7 4 3", "0,2 0:1 3:0.5", " 1:2", "1 2:1e-3", "0", "1 0:1 1:1 2:1 3:1", "2 3:4", "0 1:5", "", ""]


def rows(path, num_features, labels=(), size=2, **kwargs):
    parts = [*feature_rows(path, num_features, labels, size=size, **kwargs)]
    assert all(0 < part.shape[0] <= size and part.dtype == np.float32 for part in parts)
    return np.vstack([part.toarray() if sparse.issparse(part) else part for part in parts])


def dense(dataset):
    return dataset.dense_features(np.arange(dataset.labels.shape[0]))


def write(path, lines):
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_text_of_the_extreme_classification_repository(tmp_path, size):
    train, test = write(tmp_path / "x_train.txt", XC), write(tmp_path / "x_test.txt", XC)
    expected = dense(load_dataset(train, test))[:7]
    np.testing.assert_array_equal(rows(train, 4, size=size), expected)
    unlabelled = write(tmp_path / "new.txt", [XC[0], *(f" {line.partition(' ')[2]}" for line in XC[1:8])])
    np.testing.assert_array_equal(rows(unlabelled, 4, size=size), expected)


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (4, "1 2:x", "line 5: expected 'feature:number', got '2:x'"),
        (6, "2 3:4 3:5", "line 7: a feature is named twice"),
        (7, "", "declares 7 rows, but the file has 6"),
        (8, "0 1:5", "declares 7 rows, but the file has more"),
    ],
)
def test_a_fault_is_named_by_its_line_whatever_the_batch(tmp_path, line, text, message):
    lines = XC[:line] + ([text] if text else []) + XC[line + 1 :]
    path = write(tmp_path / "x.txt", [each for each in lines if each])
    for size in (1, 2, 100):
        with pytest.raises(DatasetError, match=message):
            rows(path, 4, size=size)


def test_libsvm_says_where_its_numbers_begin_or_asks(tmp_path):
    from_one = ["1,3 1:0.5 4:1", "# nothing", "2:3 # no label", "", "2 qid:3 3:1"]
    path, other = write(tmp_path / "a_train.svm", from_one), write(tmp_path / "a_test.svm", from_one)
    expected = dense(read_libsvm(path, other))[:3]
    for size in (1, 2, 9):
        np.testing.assert_array_equal(rows(path, 4, size=size), expected)
    unclear = write(tmp_path / "b.svm", ["1 1:0.5", "2 2:1"])
    with pytest.raises(DatasetError, match=r"names features 1 to 2 of 4, .* give --features-from 0 or 1"):
        rows(unclear, 4)
    assert rows(unclear, 4, zero_based=True).tolist() == [[0, 0.5, 0, 0], [0, 0, 1, 0]]
    assert rows(unclear, 4, zero_based=False).tolist() == [[0.5, 0, 0, 0], [0, 1, 0, 0]]
    from_zero = write(tmp_path / "c.svm", ["1 0:0.5", "2 2:1"])
    assert rows(from_zero, 4).tolist() == [[0.5, 0, 0, 0], [0, 0, 1, 0]]
    with pytest.raises(DatasetError, match="line 2"):
        rows(write(tmp_path / "d.svm", ["1 0:0.5", "2 2:nan"]), 4)
    with pytest.raises(DatasetError, match="line 2: feature 9 is out of range: at most 3 is expected"):
        rows(write(tmp_path / "d.svm", ["1 0:0.5", "2 9:1"]), 4)


@pytest.mark.parametrize("sparse_rows", [False, True])
def test_arff_leaves_out_the_labels_that_it_has(tmp_path, sparse_rows):
    names = ["x numeric", "colour {red,green,blue}", "a {0,1}", "y numeric", "b {0,1}"]
    lines = (
        ["{0 1.5,1 blue,2 1}", "{3 2}", "{1 green,4 1}"]
        if sparse_rows
        else ["1.5,blue,1,0,0", "0,red,0,2,0", "0,green,0,0,1"]
    )
    header = ["@relation r", *(f"@attribute {name}" for name in names), "@data", "% comment"]
    path = write(tmp_path / "r.arff", header + lines)
    expected = [[1.5, 0, 0, 1, 0], [0, 1, 0, 0, 2], [0, 0, 1, 0, 0]]
    for size in (1, 2, 3, 9):
        assert rows(path, 5, ["a", "b", "c"], size=size).tolist() == expected
    unlabelled = write(
        tmp_path / "u.arff", ["@relation r", "@attribute x numeric", "@attribute y real", "@data", "1,2"]
    )
    assert rows(unlabelled, 2, ["a", "b"]).tolist() == [[1, 2]]
    with pytest.raises(DatasetError, match="has 6 features, but the model was trained on 5"):
        rows(path, 5, ["a"])
    latin = tmp_path / "l.arff"
    latin.write_bytes("@relation é\n@attribute x numeric\n@data\n1\n2\n".encode("latin-1"))
    assert rows(latin, 1).tolist() == [[1], [2]]


@pytest.mark.parametrize("sparse_rows", [False, True])
def test_labels_in_arff_may_be_missing_or_wrong(tmp_path, sparse_rows):
    header = ["@relation r", "@attribute x numeric", "@attribute a {0,1}", "@attribute b real", "@data"]
    lines = ["{0 1,1 ?}", "{1 'no idea',2 1e39}", "{0 3}"] if sparse_rows else ["1,?,?", "0,no,1e39", "3,,x"]
    path = write(tmp_path / "r.arff", header + lines)
    for size in (1, 2, 9):
        assert rows(path, 1, ["a", "b"], size=size).tolist() == [[1], [0], [3]]
    with pytest.raises(DatasetError, match=r"line 6: missing value '\?' of attribute 'a'"):
        rows(path, 2, ["b"])


@pytest.mark.parametrize("sparse_rows", [False, True])
def test_arff_may_have_its_features_in_any_order(tmp_path, sparse_rows):
    """What counts is the name of each column, also of those that a nominal attribute becomes."""
    names = ("x", "colour=red", "colour=green", "y")
    header = ["@relation r", "@attribute y real", "@attribute a {0,1}", "@attribute colour {green,red}"]
    lines = ["{0 2,2 red,3 1.5}", "{1 1}"] if sparse_rows else ["2,0,red,1.5", "0,1,green,0"]
    path = write(tmp_path / "r.arff", [*header, "@attribute x numeric", "@data", *lines])
    for size in (1, 2):
        found = rows(path, 4, ["a"], size=size, feature_names=names)
        assert found.tolist() == [[1.5, 1, 0, 2], [0, 0, 1, 0]]
    assert rows(path, 4, ["a"]).tolist() == [[2, 0, 1, 1.5], [0, 1, 0, 0]]  # without names, as they come


def test_features_of_other_names_are_one_clear_error(tmp_path):
    header = ["@relation r", "@attribute x numeric", "@attribute y numeric", "@data", "1,2"]
    path = write(tmp_path / "r.arff", header)
    for names, message in [
        (("x", "z"), "it lacks 'z' and has the unknown 'y'; give a file made as the training data were"),
        (("x",), "it has the unknown 'y'; give"),
        (("z", "x", "y"), "it lacks 'z'; give"),
        (tuple("yx" + "abcdefg"), r"it lacks 'a', 'b', 'c', 'd', 'e', \.\.\. \(7 in all\); give"),
        (("y", "x", "x"), "some of its features have the same name, .* in the order of the training data"),
    ]:
        with pytest.raises(DatasetError, match=message):
            rows(path, len(names), feature_names=names)
    twice = write(
        tmp_path / "t.arff", [*header[:2], "@attribute k=a real", "@attribute k {a}", "@data", "1,2,a"]
    )
    assert rows(twice, 3, feature_names=("x", "k=a", "k=a")).tolist() == [[1, 2, 1]]  # where they were
    with pytest.raises(DatasetError, match="some of its features have the same name"):
        rows(twice, 3, feature_names=("k=a", "x", "k=a"))


def test_npz_with_names_may_have_its_features_in_any_order(tmp_path, dataset):
    path = tmp_path / "x.npz"
    write_npz(replace(dataset, feature_names=tuple("uvwxyz")), path)
    found = rows(path, 6, size=7, feature_names=tuple("zyxwvu"))
    np.testing.assert_array_equal(found, dense(dataset)[:, ::-1])
    with pytest.raises(DatasetError, match="it lacks 'a' and has the unknown 'z'"):
        rows(path, 6, feature_names=tuple("uvwxya"))
    write_npz(dataset, path)
    np.testing.assert_array_equal(rows(path, 6, size=7, feature_names=tuple("zyxwvu")), dense(dataset))
    with np.load(path) as content:
        np.savez(path, **content, x_names=np.array(["u", "v"]))
    with pytest.raises(DatasetError, match=r"x\.npz: x_names: expected 6 feature names, got 2"):
        rows(path, 6)


def test_npz_needs_nothing_but_features(tmp_path, make_dataset):
    for number, dataset in enumerate([make_dataset(), make_dataset(sparse=True)]):
        path = tmp_path / f"{number}.npz"
        write_npz(dataset, path)
        np.testing.assert_array_equal(rows(path, 6, size=7), dense(read_npz(path)))
        with np.load(path) as content:
            np.savez(tmp_path / "x.npz", **{key: content[key] for key in content.files if key[0] == "x"})
        np.testing.assert_array_equal(rows(tmp_path / "x.npz", 6), dense(dataset))
    np.savez(tmp_path / "none.npz", other=np.zeros(2))
    with pytest.raises(DatasetError, match="missing x_data"):
        rows(tmp_path / "none.npz", 6)


def test_what_is_no_file_of_rows_is_one_clear_error(tmp_path):
    for path, message in [
        (tmp_path, "is a folder; expected one file"),
        (tmp_path / "none.txt", "none.txt: cannot read the file"),
        (tmp_path / "none.arff", "none.arff: cannot read the file"),
        (write(tmp_path / "a.csv", ["a,b", "1,2"]), "not a known format, by its name and first line"),
        (write(tmp_path / "x.txt", XC), "x.txt: has 4 features, but the model was trained on 5"),
    ]:
        with pytest.raises(DatasetError, match=message):
            rows(path, 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["x.txt", "x.arff", "x.npz", "x"])
def test_a_pipe_is_refused_before_it_is_read(tmp_path, name):
    """The second reading would find nothing, or the rest."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(DatasetError, match=r"is a pipe, .*; write it to a file first"):
        rows(tmp_path / name, 4)
    write(tmp_path / "train.txt", XC)
    for paths in ((tmp_path / name,), (tmp_path / "train.txt", tmp_path / name)):
        with pytest.raises(DatasetError, match=f"{name}: is a pipe"):
            load_dataset(*paths)
    with pytest.raises(DatasetError, match="/dev/null: is a device"):
        load_dataset("/dev/null")


def test_a_file_is_read_as_it_is_asked_for(tmp_path):
    path = write(tmp_path / "x.txt", ["5 2 1", "0 0:1", "0 1:1", "0 0:1", "0 0:x", "0 0:1"])
    parts = feature_rows(path, 2, [], size=1)
    assert next(parts).toarray().tolist() == [[1, 0]]
    assert next(parts).toarray().tolist() == [[0, 1]]
    next(parts)
    with pytest.raises(DatasetError, match="line 5"):
        next(parts)
