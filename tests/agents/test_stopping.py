"""STOP's offset, against decoding with every offset."""

import numpy as np
import pytest
import torch

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.decoding import ChainPredictor
from labelchain.agents.network_records import network_of, record_of
from labelchain.agents.networks import build_network
from labelchain.agents.runs import Run
from labelchain.agents.settings import Settings
from labelchain.agents.stopping import OFFSETS, stopping_record
from labelchain.baselines.learners import fit
from labelchain.envs import evaluate

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
def test_no_other_offset_is_better_on_the_validation_rows(make_dataset, cell, metric, seed):
    data = make_dataset(200, seed=seed)
    net = network(data, cell, seed)
    found = network_of(stopping_record(record_of(net), data, LIMIT, metric, torch.device("cpu")))

    def score(model):
        return evaluate(ChainPredictor(model, LIMIT), data, "validation").metrics[metric]

    scores = [score(with_offset(net, float(offset))) for offset in OFFSETS]
    assert score(found) == max(scores)
    offset = (found.output.bias - net.output.bias)[data.num_labels].item()
    alike = [abs(other) for other, value in zip(OFFSETS, scores, strict=True) if value == max(scores)]
    assert abs(offset) == pytest.approx(min(alike), abs=1e-5)
    for name, tensor in net.state_dict().items():  # nothing else changes, here or there
        same = found.state_dict()[name] == tensor
        assert same.all() or (name == "output.bias" and same[: data.num_labels].all())


def test_a_run_that_asks_for_it_has_other_label_sets_and_the_same_rankings(tmp_path, make_dataset):
    data, found = make_dataset(200), {}
    for stop in ("learned", "validated"):
        settings = Settings(width=8, epochs=2, batch_size=16, stop=stop)
        run = Run(tmp_path / stop, "always-random", "random", 0, settings)
        found[stop] = fit(run, data, silent)
    assert found["learned"]["nDCG@5"] == found["validated"]["nDCG@5"]
    assert found["learned"]["f1_example"] != found["validated"]["f1_example"]
    assert np.isfinite(list(found["validated"].values())).all()
