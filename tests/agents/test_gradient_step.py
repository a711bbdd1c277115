"""Gradient steps: the same as with torch's own clipping, which multiplies every gradient."""

import copy
import math

import pytest
import torch

from labelchain.agents.gradient_step import gradient_step, optimiser_of


@pytest.mark.parametrize("clip", [1e-3, 1e6])
def test_gradients_are_cut_to_the_norm(clip):
    torch.manual_seed(0)
    ours = torch.nn.Linear(3, 2)
    theirs, inputs = copy.deepcopy(ours), torch.randn(5, 3)
    norm = gradient_step(ours, optimiser_of(ours, 0.1), ours(inputs).square().sum(), clip)

    optimiser = optimiser_of(theirs, 0.1)
    theirs(inputs).square().sum().backward()
    assert norm == float(torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip))
    optimiser.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert one.equal(other)
        assert one.grad.equal(other.grad)


def test_a_gradient_that_is_no_number_is_told():
    network = torch.nn.Linear(2, 1)
    network.register_parameter("other", torch.nn.Parameter(torch.zeros(1)))
    norm = gradient_step(
        network, optimiser_of(network, 0.1), network(torch.full((1, 2), torch.nan)).sum(), 1.0
    )
    assert math.isnan(norm)
    assert network.other.grad is None


def test_a_norm_that_is_no_number_reaches_all_gradients():
    """As with torch's own clipping."""
    network = torch.nn.ParameterList([torch.zeros(1), torch.zeros(1)])
    loss = network[0].sum() * torch.nan + network[1].sum()
    gradient_step(network, optimiser_of(network, 0.1), loss, 1.0)
    assert network[1].grad.isnan().all()
