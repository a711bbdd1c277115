"""STOP's offset, against decoding with every offset."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelchain.agents.averaging import AveragedModel
from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.checkpoints import chain_predictor, load_chain_model, save_chain_model
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.label_scores import label_scores
from labelchain.agents.network_records import LARGEST_WEIGHT, network_of, record_of
from labelchain.agents.networks import build_network
from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.agents.stopping import OFFSETS, nearly_best, stopping_record
from labelchain.baselines.learners import fit
from labelchain.envs import evaluate
from labelchain.envs.metrics import row_scores

LIMIT = 4


def silent(share, note):
    """A progress callback that shows nothing."""


def network(dataset, cell, seed):
    torch.manual_seed(seed)
    config = NetworkConfig(cell=cell, width=8, embedding=4, hidden=8)
    net = build_network(dataset.num_features, dataset.num_labels, config, "none").eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape))
    return net


def with_offset(net, offset):
    other = network_of(record_of(net))
    with torch.no_grad():
        other.output.bias[net.num_labels] += offset
    return other


@pytest.mark.parametrize("cell", ["sum", "gru"])
@pytest.mark.parametrize("metric", ["f1_example", "subset_accuracy", "f1_macro"])
@pytest.mark.parametrize("seed", range(3))
def test_the_offset_is_nearly_the_best_of_decoding_with_each(make_dataset, cell, metric, seed):
    data = make_dataset(200, seed=seed)
    net = network(data, cell, seed)
    record = stopping_record(record_of(net), data, LIMIT, metric, torch.device("cpu"))

    def scores(offset):
        answers = evaluate(ChainPredictor(with_offset(net, float(offset)), LIMIT), data, "validation")
        of_rows = row_scores(answers.labels, answers.predictions)
        return np.atleast_1d(of_rows.get(metric, answers.metrics[metric]))

    each = {float(offset): scores(offset) for offset in OFFSETS}
    best = max(each.values(), key=np.mean)
    alike = []
    for offset, of_rows in each.items():
        error = np.std(best - of_rows) / len(of_rows) ** 0.5
        if best.mean() - of_rows.mean() <= error + 1e-9:
            alike.append(abs(offset))
    assert abs(record["stop"]) == min(alike)
    for name, tensor in net.state_dict().items():
        assert (record["state"][name] == tensor).all()


def test_stop_decides_label_sets_and_leaves_probabilities(make_dataset):
    data = make_dataset(200)
    net = network(data, "sum", 0)
    features = data.dense_features(data.rows("test"))
    for others in ([], [record_of(network(data, "gru", 1)) | {"stop": 1.0}]):
        records = [record_of(net) | {"stop": 2.0}, *others]
        found = chain_predictor(records, LIMIT)
        learned = chain_predictor([record | {"stop": 0.0} for record in records], LIMIT)
        shifted = [with_offset(network_of(record), record["stop"]) for record in records]
        expected = ChainPredictor(shifted[0] if len(shifted) == 1 else AveragedModel(shifted), LIMIT)
        ours, plain, theirs = (each.predict(features).chains for each in (found, learned, expected))
        assert ours.tolist() == theirs.tolist()
        assert (ours >= 0).sum() < (plain >= 0).sum()
        scores = [label_scores(each, features, data.num_labels) for each in (found, learned)]
        assert (scores[0] == scores[1]).all()


@given(arrays(np.float64, (len(OFFSETS), 6), elements=st.integers(0, 4)))
def test_what_was_learned_stays_unless_another_offset_is_surely_better(scores):
    chosen = scores[list(OFFSETS).index(nearly_best(scores))]
    best, learned = scores[scores.mean(axis=1).argmax()], scores[list(OFFSETS).index(0.0)]
    assert (best - chosen).mean() <= (best - chosen).std() / 6**0.5 + 1e-9
    if (learned != chosen).any():
        assert (best - learned).mean() >= (best - learned).std() / 6**0.5 - 1e-9


def test_a_run_that_asks_for_it_has_other_label_sets_and_the_same_rankings(tmp_path, make_dataset):
    data, found = make_dataset(200), {}
    for stop in ("learned", "validated"):
        settings = Settings(width=8, epochs=1, batch_size=16, stop=stop)
        run = Run(tmp_path / stop, "always-random", "random", 0, settings)
        found[stop] = fit(run, data, silent)
    assert found["learned"]["nDCG@5"] == found["validated"]["nDCG@5"]
    assert found["learned"]["f1_example"] != found["validated"]["f1_example"]
    assert np.isfinite(list(found["validated"].values())).all()


def test_stop_keeps_weights_in_the_range_that_is_read(make_dataset, tmp_path):
    data = make_dataset(40)
    record = record_of(network(data, "sum", 0))
    record["state"]["output.bias"][-1] = LARGEST_WEIGHT
    save_chain_model(tmp_path / "model.pt", [record], [record | {"stop": 100.0}], LIMIT)
    chains = load_chain_model(tmp_path / "model.pt").predict(data.dense_features(data.rows("test"))).chains
    assert (chains == -1).all()
