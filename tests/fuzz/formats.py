"""Valid files of every format that is read, what reads them, and what makes a result valid."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import torch

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import load_chain_model, load_tensors, save_chain_model
from labelchain.agents.network_records import record_of
from labelchain.agents.networks import build_network
from labelchain.agents.runs import Run, RunError
from labelchain.agents.settings import Settings
from labelchain.baselines.classifier_chains import ClassifierChains
from labelchain.baselines.comparison import planned
from labelchain.baselines.predictions import load_predictions, save_predictions
from labelchain.baselines.scores import LinearScores
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
from labelchain.envs.datasets.storage import recorded
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS, Predictions

TINY = Settings(width=4, embedding=3, hidden=3, epochs=1)


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        write: Writes a valid one, and what belongs to it, into a folder, by a number; gives the names of the
            files to damage.
        read: Reads the folder, and checks what it got.
        error: The error that a bad file must give.
        exact: Whether any change of the content must be noticed; then ``read`` gives the content.
    """

    write: object
    read: object
    error: type
    exact: bool = False


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


def network(seed=0):
    torch.manual_seed(seed)
    config = NetworkConfig(cell="sum" if seed % 2 else "gru", width=4, embedding=3, hidden=3)
    dataset = data(seed)
    return build_network(dataset.num_features, dataset.num_labels, config, "none"), dataset


def model(folder, seed):
    net, _ = network(seed)
    save_chain_model(folder / "model.pt", [record_of(net)], [record_of(net)], 3)
    return ["model.pt"]


def read_model(folder):
    found = load_chain_model(folder / "model.pt")
    features = np.ones((2, found.ranking.model.num_features), np.float32)
    evaluate_once = found.predict(features)
    assert evaluate_once.ranking.shape[0] == 2
    return repr(load_tensors(folder / "model.pt"))


def scores(folder, seed):
    rng = np.random.default_rng(seed)
    LinearScores(rng.normal(size=(3, 2)).astype("f4"), rng.normal(size=2).astype("f4"), 0.5).save(
        folder / "scores.npz"
    )
    return ["scores.npz"]


def read_scores(folder):
    found = LinearScores.load(folder / "scores.npz")
    found.predict(np.ones((2, found.weights.shape[0]), np.float32))
    return repr([found.weights, found.bias, found.threshold])


def chains(folder, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype("f4") for shape in ((2, 3, 2), (2, 2, 2), (2, 2))]
    ClassifierChains(*arrays, np.stack([rng.permutation(2) for _ in range(2)])).save(folder / "scores.npz")
    return ["scores.npz"]


def read_chains(folder):
    found = ClassifierChains.load(folder / "scores.npz")
    found.predict(np.ones((2, found.weights.shape[1]), np.float32))
    return repr([found.weights, found.links, found.bias, found.order])


def _run(folder, seed=0):
    return Run(folder, "popularity", "set", seed, TINY)


def predictions(folder, seed):
    rng = np.random.default_rng(seed)
    both = Predictions(rng.integers(0, 5, (4, 5)), rng.integers(-1, 5, (4, 3)))
    save_predictions(folder, {"chain": both, "first-step": both})
    return ["predictions.npz"]


def read_predictions(folder):
    found = load_predictions(_run(folder), 4, 5)
    assert all(len(each.ranking) == len(each.chains) == 4 for each in found.values())
    return repr({name: (each.ranking, each.chains) for name, each in found.items()})


def config(folder, seed):
    _run(folder, seed).create()
    return ["config.json"]


def read_config(folder):
    run = Run.open(folder)
    assert isinstance(run.settings.epochs, int)
    assert run.settings.epochs > 0
    run.settings.network()


def result(folder, seed):
    metrics = np.random.default_rng(seed).random(len((*RANKING_METRICS, *LABEL_SET_METRICS)))
    names = (*RANKING_METRICS, *LABEL_SET_METRICS)
    _run(folder).finish(dict(zip(names, metrics.tolist(), strict=True)), 1.5)
    return ["result.json"]


def read_result(folder):
    run = _run(folder)
    found = run.result
    assert found is not None
    assert all(np.isfinite([*found.values(), run.seconds()]))


def results(folder, seed):
    entry = {"P@1": {"values": [1.0, 2.0]}}
    content = {
        "dataset": "set",
        "settings": asdict(TINY),
        "learners": {"popularity": entry, "freq2rare": entry},
    }
    (folder / "results.json").write_text(json.dumps(content, indent=2))
    return ["results.json"]


def read_results(folder):
    counts = planned(folder, "set", ["popularity"], 1, TINY)
    assert counts["popularity"] >= 1
    assert all(isinstance(count, int) for count in counts.values())


def record(folder, seed):
    (folder / ".labelchain.json").write_text(json.dumps(["set-train.arff", f"set-{seed}.xml"]))
    return [".labelchain.json"]


def read_record(folder):
    assert all((folder / name).parent == folder for name in recorded(folder))


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
FORMATS = {name: Format(write, _checked(read), DatasetError) for name, (write, read) in DATA.items()} | {
    "`model.pt`": Format(model, read_model, RunError, exact=True),
    "`scores.npz`": Format(scores, read_scores, RunError, exact=True),
    "`scores.npz` of chains": Format(chains, read_chains, RunError, exact=True),
    "`predictions.npz`": Format(predictions, read_predictions, RunError, exact=True),
    "`config.json`": Format(config, read_config, RunError),
    "`result.json`": Format(result, read_result, RunError),
    "`results.json`": Format(results, read_results, RunError),
    "`.labelchain.json`": Format(record, read_record, DatasetError),
}
