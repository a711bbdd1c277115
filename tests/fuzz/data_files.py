"""Valid data sets in every format, what reads them, and what makes a result valid."""

import numpy as np
from fuzz.format import Format

from labelchain.envs.datasets import (
    DatasetError,
    MultilabelDataset,
    load_dataset,
    read_libsvm,
    read_meka,
    read_mulan,
    read_npz,
    read_xc,
    write_npz,
)


def data(seed=0):
    rng = np.random.default_rng(seed)
    rows, features, labels = int(rng.integers(4, 9)), int(rng.integers(1, 5)), int(rng.integers(1, 5))
    return MultilabelDataset.from_arrays(
        "set",
        np.where(rng.random((rows, features)) < 0.6, rng.normal(size=(rows, features)).round(3), 0),
        rng.random((rows, labels)) < 0.5,
        train_rows=range(rows - 2),
        test_rows=range(rows - 2, rows),
        label_names=[f"l{i}" for i in range(labels)],
    )


def check_data(dataset):
    """What every data set keeps, counted again without its own checks."""
    rows = dataset.labels.shape[0]
    features = dataset.dense_features(np.arange(rows)) if dataset.num_features * rows < 1e6 else None
    assert features is None or (features.dtype == np.float32 and np.isfinite(features).all())
    assert dataset.num_labels == len(dataset.label_names) == len(set(dataset.label_names)) > 0
    assert dataset.num_features > 0
    assert (dataset.labels.data == 1).all()
    entries = list(zip(*dataset.labels.nonzero(), strict=True))
    assert len(entries) == len(set(entries)) == dataset.labels.nnz
    splits = [set(map(int, dataset.rows(split))) for split in ("train", "validation", "test")]
    assert all(splits)
    assert sum(map(len, splits)) == len(set.union(*splits)) <= rows
    assert set.union(*splits) <= set(range(rows))
    assert np.isfinite(dataset.feature_range()).all()


def _arff(sparse, labels_first=False):
    def rows(dataset, numbers):
        x, y = dataset.dense_features(numbers), dataset.dense_labels(numbers).astype(int)
        for values in np.hstack([y, x] if labels_first else [x, y]).tolist():
            texts = [f"{value:g}" for value in values]
            if sparse:
                yield "{" + ",".join(f"{i} {text}" for i, text in enumerate(texts) if text != "0") + "}"
            else:
                yield ",".join(texts)

    def text(dataset, numbers, relation="set"):
        x = [f"@attribute f{i} numeric" for i in range(dataset.num_features)]
        y = [f"@attribute '{name}' {{0,1}}" for name in dataset.label_names]
        columns = [*y, *x] if labels_first else [*x, *y]
        return "\n".join([f"@relation '{relation}'", *columns, "@data", *rows(dataset, numbers), ""])

    return text


def halves(dataset):
    """Rows of the training and of the test file."""
    count = dataset.labels.shape[0]
    return np.arange(count - 2), np.arange(count - 2, count)


def mulan(sparse):
    def write(folder, seed):
        dataset, text = data(seed), _arff(sparse)
        for part, rows in zip(("train", "test"), halves(dataset), strict=True):
            (folder / f"set-{part}.arff").write_text(text(dataset, rows))
        names = "".join(f'<label name="{name}"></label>\n' for name in dataset.label_names)
        (folder / "set.xml").write_text(f'<?xml version="1.0"?>\n<labels>\n{names}</labels>\n')
        return ["set-train.arff", "set-test.arff", "set.xml"]

    return write


def meka(folder, seed):
    dataset = data(seed)
    text = _arff(seed % 2 == 1, labels_first=True)
    rows = np.arange(dataset.labels.shape[0])
    relation = f"set: -C {dataset.num_labels} -split-number {len(rows) - 2}"
    (folder / "set.arff").write_text(text(dataset, rows, relation))
    return ["set.arff"]


def _rows(dataset, rows, first):
    x, y = dataset.dense_features(rows), dataset.dense_labels(rows)
    for values, labels in zip(x, y, strict=True):
        pairs = " ".join(f"{i + first}:{values[i]:g}" for i in np.flatnonzero(values))
        yield f"{','.join(map(str, np.flatnonzero(labels)))} {pairs}"


def xc(folder, seed):
    dataset = data(seed)
    for part, rows in zip(("train", "test"), halves(dataset), strict=True):
        head = f"{len(rows)} {dataset.num_features} {dataset.num_labels}"
        (folder / f"{part}.txt").write_text("\n".join([head, *_rows(dataset, rows, 0), ""]))
    return ["train.txt", "test.txt"]


def xc_splits(folder, seed):
    dataset = data(seed)
    count = dataset.labels.shape[0]
    head = f"{count} {dataset.num_features} {dataset.num_labels}"
    (folder / "set.txt").write_text("\n".join([head, *_rows(dataset, np.arange(count), 0), ""]))
    for part, rows in zip(("tr", "tst"), halves(dataset), strict=True):
        (folder / f"set_{part}Split.txt").write_text("".join(f"{row + 1} {count - row}\n" for row in rows))
    return ["set.txt", "set_trSplit.txt", "set_tstSplit.txt"]


def libsvm(folder, seed):
    dataset = data(seed)
    for part, rows in zip(("train", "test"), halves(dataset), strict=True):
        lines = [line for line in _rows(dataset, rows, 1) if line.strip()]
        (folder / f"{part}.svm").write_text("\n".join([*lines, f"0 {dataset.num_features}:1", ""]))
    return ["train.svm", "test.svm"]


def npz(folder, seed):
    write_npz(data(seed), folder / "set.npz")
    return ["set.npz"]


def _checked(read):
    return lambda folder: check_data(read(folder))


DATA = {
    "Mulan ARFF and XML, dense": (mulan(False), read_mulan),
    "Mulan ARFF and XML, sparse": (mulan(True), read_mulan),
    "MEKA ARFF": (meka, lambda folder: read_meka(folder / "set.arff")),
    "Extreme Classification text": (xc, lambda folder: read_xc(folder / "train.txt", folder / "test.txt")),
    "Extreme Classification text, split files": (
        xc_splits,
        lambda folder: read_xc(
            folder / "set.txt", train_split=folder / "set_trSplit.txt", test_split=folder / "set_tstSplit.txt"
        ),
    ),
    "LIBSVM text": (libsvm, lambda folder: read_libsvm(folder / "train.svm", folder / "test.svm")),
    ".npz": (npz, lambda folder: read_npz(folder / "set.npz")),
    "any of these, recognised by content": (xc_splits, lambda folder: load_dataset(folder)),
}
DATA_FILES = {name: Format(write, _checked(read), DatasetError) for name, (write, read) in DATA.items()}
