"""The output layer: torch's own linear layer, whatever lies between its rows."""

import pytest
import torch
from torch import nn

from labelchain.agents import output_layer
from labelchain.agents.action_values import train_chain_q
from labelchain.agents.chain_pg import train_chain_pg
from labelchain.agents.checkpoints import load_chain_records
from labelchain.agents.likelihood import LikelihoodObjective, RandomOrder
from labelchain.agents.order_free import OrderFreeObjective
from labelchain.agents.output_layer import FEWEST_RESULTS, OutputLayer
from labelchain.agents.training import train_for

FEW, MANY = 4, FEWEST_RESULTS // 101 + 1


def layers(num_outputs=101, dtype=torch.float32):
    """Torch's layer and ours, with the same weights."""
    torch.manual_seed(0)
    theirs, ours = nn.Linear(8, num_outputs).to(dtype), OutputLayer(8, num_outputs).to(dtype)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.mark.parametrize("num_outputs", [96, 101, 104])
@pytest.mark.parametrize("rows", [FEW, MANY])
def test_results_and_gradients_are_those_of_torchs_layer(rows, num_outputs):
    results, gradients = [], []
    for layer in layers(num_outputs):
        inputs = torch.randn(rows, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        result = layer(inputs)
        result.square().sum().backward()
        results.append(result.detach())
        gradients.append([inputs.grad, layer.weight.grad, layer.bias.grad])
    assert torch.equal(*results)
    for theirs, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


def test_rows_of_many_results_begin_at_whole_vectors():
    _, layer = layers()
    assert layer(torch.randn(MANY, 8)).stride() == (112, 1)
    assert layer(torch.randn(FEW, 8)).stride() == (101, 1)


def test_results_may_be_written_over():
    _, layer = layers()
    result = layer(torch.randn(MANY, 8))
    result.mul_(2.0).sum().backward()
    assert torch.equal(layer.bias.grad, torch.full((101,), 2.0 * MANY))


def test_gradients_have_gradients():
    _, layer = layers(dtype=torch.float64)
    inputs = torch.randn(MANY, 8, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(layer(inputs).square().sum(), layer.bias, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), layer.bias)
    torch.testing.assert_close(second, torch.full((101,), 2.0 * MANY, dtype=torch.float64))


def test_results_are_where_the_inputs_are():
    _, layer = layers()
    inputs = torch.randn(MANY, 8)
    with torch.device("meta"):
        assert layer(inputs).device.type == "cpu"


def test_bfloat16_is_torchs_own():
    theirs, ours = layers()
    inputs = torch.randn(MANY, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ours(inputs), theirs(inputs))


TRAININGS = {
    "always-random": lambda *run: train_for(LikelihoodObjective(RandomOrder()), *run),
    "order-free": lambda *run: train_for(OrderFreeObjective(), *run),
    "chain-pg": train_chain_pg,
    "chain-q": train_chain_q,
}


@pytest.mark.parametrize(
    ("learner", "changes"),
    [
        *((name, {}) for name in TRAININGS),
        ("chain-pg", {"estimator": "sampled"}),
        ("chain-pg", {"cell": "gru"}),
    ],
)
def test_a_training_is_the_same_with_and_without_gaps(make_run, dataset, monkeypatch, learner, changes):
    """Losses write over logits; what lies between their rows must not matter."""
    weights = []
    for fewest in (0, 2**40):
        monkeypatch.setattr(output_layer, "FEWEST_RESULTS", fewest)
        run = make_run(learner, epochs=2, **changes)
        TRAININGS[learner](run, dataset, lambda *_: None)
        (record,) = load_chain_records(run.directory / "model.pt")["ranking"]
        weights.append(record["state"])
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-5, atol=1e-6)
