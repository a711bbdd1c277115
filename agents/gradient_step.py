"""Gradient descent, as every learner with a chain network does it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelchain.agents.whole_batch import add_up


def optimiser_of(network: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Adam, as ``labelchain train`` begins with it for chain networks."""
    return torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)


def gradient_step(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float) -> float:
    """Go down the gradient of a loss, cut to the norm ``clip``; return its norm before the cut.

    Where processes share a batch, that is the gradient of the sum of their losses.
    """
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    add_up(parameter.grad for parameter in network.parameters() if parameter.grad is not None)
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return float(norm)
