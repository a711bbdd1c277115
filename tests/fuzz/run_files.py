"""Valid files of runs and comparisons, what reads them, and what makes a result valid."""

import json
import tempfile
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from fuzz.data_files import data
from fuzz.format import Format
from fuzz.values import change_arrays, change_json, change_tensors
from scipy import sparse

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import load_chain_model, load_tensors, save_chain_model
from labelchain.agents.decoders import DECODINGS, under_decoding
from labelchain.agents.likelihood import LikelihoodObjective, RandomOrder
from labelchain.agents.network_records import record_of
from labelchain.agents.networks import build_network
from labelchain.agents.runs import Run, RunError
from labelchain.agents.settings import Settings
from labelchain.agents.training import Phase, train
from labelchain.baselines.classifier_chains import ClassifierChains
from labelchain.baselines.comparison import planned
from labelchain.baselines.learners import LEARNERS
from labelchain.baselines.prediction_columns import Columns
from labelchain.baselines.predictions import load_predictions, save_predictions
from labelchain.baselines.scores import LinearScores
from labelchain.baselines.tuned_scores import TunedScores
from labelchain.envs.datasets import DatasetError
from labelchain.envs.datasets.storage import recorded
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS, Predictions, summarise

TINY = Settings(width=4, embedding=3, hidden=3, epochs=1)


def network(seed=0):
    torch.manual_seed(seed)
    config = NetworkConfig(cell="sum" if seed % 2 else "gru", width=4, embedding=3, hidden=3)
    dataset = data(seed)
    return build_network(dataset.num_features, dataset.num_labels, config, "none"), dataset


def model(folder, seed):
    net, _ = network(seed)
    save_chain_model(folder / "model.pt", [record_of(net)], [record_of(net)], 3)
    return ["model.pt"]


def check_predictions(found, num_labels):
    """What every answer keeps: labels that exist, none ranked twice, padded at the end."""
    for part, distinct in ((found.ranking, True), (found.chains, False)):
        assert part.min() >= -1
        assert part.max() < num_labels
        assert not ((part[:, :-1] < 0) & (part[:, 1:] >= 0)).any()
        for row in part.tolist():
            named = [label for label in row if label >= 0]
            assert not distinct or len(named) == len(set(named))


def use_model(folder):
    found = load_chain_model(folder / "model.pt")
    network = getattr(found.ranking.model, "models", [found.ranking.model])[0]
    features = np.ones((2, network.num_features), np.float32)
    check_predictions(found.predict(features), network.num_labels)
    for decoding in DECODINGS[1:]:
        check_predictions(under_decoding(found, decoding, 3).predict(features), network.num_labels)


def read_model(folder):
    load_chain_model(folder / "model.pt")
    return repr(load_tensors(folder / "model.pt"))


class StoppedError(Exception):
    """After the first epoch."""


def stop(share, note):
    raise StoppedError


def train_one(folder, progress):
    _, dataset = network()
    run = Run(folder, "always-random", "set", 0, TINY.with_changes({"epochs": 2}))
    phases = [Phase("orders", LikelihoodObjective(RandomOrder()), 2, 1e-3)]
    train(run, dataset, phases, progress)


@cache
def half_trained():
    """The content of ``last.pt`` after one of two epochs."""
    with tempfile.TemporaryDirectory() as folder:
        with suppress(StoppedError):
            train_one(Path(folder), stop)
        return (Path(folder) / "last.pt").read_bytes()


def training(folder, seed):
    (folder / "last.pt").write_bytes(half_trained())
    return ["last.pt"]


def read_training(folder):
    return repr(load_tensors(folder / "last.pt"))


def go_on(folder):
    train_one(folder, lambda *_: None)
    use_model(folder)


def scores(folder, seed):
    rng = np.random.default_rng(seed)
    LinearScores(rng.normal(size=(3, 2)).astype("f4"), rng.normal(size=2).astype("f4"), 0.5).save(
        folder / "scores.npz"
    )
    return ["scores.npz"]


def read_scores(folder):
    found = LinearScores.load(folder / "scores.npz")
    features = np.ones((2, found.weights.shape[0]), np.float32)
    check_predictions(found.predict(features), found.weights.shape[1])
    return repr([found.weights, found.bias, found.threshold])


def tuned(folder, seed):
    rng = np.random.default_rng(seed)
    both = (LinearScores(rng.normal(size=(3, 2)), rng.normal(size=2), each) for each in (0.0, 0.5))
    TunedScores(*both).save(folder / "scores.npz")
    return ["scores.npz"]


def read_tuned(folder):
    found = TunedScores.load(folder / "scores.npz")
    features = np.ones((2, found.weights.shape[0]), np.float32)
    check_predictions(found.predict(features), found.weights.shape[1])
    parts = (found.ranking, found.label_set)
    return repr([(each.weights, each.bias, each.threshold) for each in parts])


def chains(folder, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype("f4") for shape in ((2, 3, 2), (2, 2, 2), (2, 2))]
    ClassifierChains(*arrays, np.stack([rng.permutation(2) for _ in range(2)])).save(folder / "scores.npz")
    return ["scores.npz"]


def read_chains(folder):
    found = ClassifierChains.load(folder / "scores.npz")
    features = np.ones((2, found.weights.shape[1]), np.float32)
    check_predictions(found.predict(features), found.weights.shape[2])
    return repr([found.weights, found.links, found.bias, found.order])


def _run(folder, seed=0):
    return Run(folder, "popularity", "set", seed, TINY)


def predictions(folder, seed):
    rng = np.random.default_rng(seed)
    ranking, chains = (np.stack([rng.permutation(5) for _ in range(4)]) for _ in range(2))
    both = Predictions(ranking, np.where(np.arange(5) < rng.integers(6, size=(4, 1)), chains, -1))
    save_predictions(folder, {"chain": both, "first-step": both})
    return ["predictions.npz"]


def read_predictions(folder):
    found = load_predictions(_run(folder), 4, 5)
    for each in found.values():
        assert len(each.ranking) == len(each.chains) == 4
        check_predictions(each, 5)
        summarise(sparse.csr_array(np.eye(4, 5)), each)
    return repr({name: (each.ranking, each.chains) for name, each in found.items()})


def config(folder, seed):
    _run(folder, seed).create()
    return ["config.json"]


def read_config(folder):
    run = Run.open(folder)
    for name, value in asdict(run.settings).items():
        default = getattr(Settings(), name)
        assert type(value) is type(default) or default is None or {type(value), type(default)} == {int, float}
        assert not isinstance(value, float) or np.isfinite(value)
    assert isinstance(run.learner, str)
    torch.manual_seed(run.seed)
    build_network(2, 2, run.settings.network(), "none")
    run.create()  # agrees with itself


def result(folder, seed):
    metrics = np.random.default_rng(seed).random(len((*RANKING_METRICS, *LABEL_SET_METRICS)))
    names = (*RANKING_METRICS, *LABEL_SET_METRICS)
    _run(folder).finish(dict(zip(names, metrics.tolist(), strict=True)), 1.5)
    return ["result.json"]


def read_result(folder):
    run = _run(folder)
    found = run.result
    assert found is not None
    assert all(np.isfinite([float(number) for number in (*found.values(), run.seconds())]))


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
    assert counts.keys() <= LEARNERS.keys()
    assert all(isinstance(count, int) for count in counts.values())


def record(folder, seed):
    (folder / ".labelchain.json").write_text(json.dumps(["set-train.arff", f"set-{seed}.xml"]))
    return [".labelchain.json"]


def read_record(folder):
    assert all((folder / name).parent == folder and name != ".." for name in recorded(folder))


def columns(folder, seed):
    dataset = data(seed)
    names = tuple(f"f{i}" for i in range(dataset.num_features))
    Columns.of(replace(dataset, feature_names=names, zero_based=True)).save(folder)
    return ["columns.json"]


def read_columns(folder):
    found = Columns.load(folder)
    assert found is not None
    dataset = found.without_rows()
    assert (dataset.num_features, dataset.num_labels) == (found.num_features, len(set(found.label_names)))
    assert found.feature_names is None or len(found.feature_names) == found.num_features
    assert found.zero_based in (None, False, True)


def forms(write, read, change, error=RunError, exact=False, use=None):
    """Two formats: one whose bytes are damaged, one whose values are changed and used."""
    return Format(write, read, error, exact), Format(write, use or read, error, damage=change)


_BOTH = {
    "`model.pt`": forms(model, read_model, change_tensors, exact=True, use=use_model),
    "`last.pt`": forms(training, read_training, change_tensors, exact=True, use=go_on),
    "`scores.npz`": forms(scores, read_scores, change_arrays, exact=True),
    "`scores.npz`, tuned": forms(tuned, read_tuned, change_arrays, exact=True),
    "`scores.npz` of chains": forms(chains, read_chains, change_arrays, exact=True),
    "`predictions.npz`": forms(predictions, read_predictions, change_arrays, exact=True),
    "`config.json`": forms(config, read_config, change_json),
    "`result.json`": forms(result, read_result, change_json),
    "`results.json`": forms(results, read_results, change_json),
    "`columns.json`": forms(columns, read_columns, change_json),
    "`.labelchain.json`": forms(record, read_record, change_json, DatasetError),
}
RUN_FILES = {
    f"{name}, {kind}": form
    for name, both in _BOTH.items()
    for kind, form in zip(("bytes", "values"), both, strict=True)
}
