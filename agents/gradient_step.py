"""One step of gradient descent, as every learner with a chain network takes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_step(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor, clip: float) -> float:
    """Go down the gradient of a loss, cut to the norm ``clip``; return its norm before the cut."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimiser.step()
    return float(norm)
