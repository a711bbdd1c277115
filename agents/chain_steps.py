"""The greedy chain with what the model thought at each of its steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labelchain.agents.decoding import RunningChains, StepModel, numbers


@dataclass(frozen=True)
class ChainSteps:
    """Greedy chains of ``n`` inputs, and the most probable actions at each step.

    Action ``L`` is STOP. A chain ends with STOP, unless its limit came first.

    Attributes:
        actions: ``(n, length)`` int64, padded with -1.
        probabilities: ``(n, length)`` float32, of each action given those before it; 0 where there is none.
        candidates: ``(n, length, k)`` int64, the most probable actions of each step, best first.
        candidate_probabilities: ``(n, length, k)`` float32.
    """

    actions: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    candidates: NDArray[np.int64]
    candidate_probabilities: NDArray[np.float32]


@torch.no_grad()
def chain_steps(model: StepModel, features: Tensor, max_labels: int, most: int = 1) -> ChainSteps:
    """Decode greedily, as :func:`labelchain.agents.decoding.decode_greedily` does, and keep the steps.

    Args:
        model: Gives the step distributions; put networks in eval mode.
        features: ``(n, num_features)`` float32.
        max_labels: Chain limit.
        most: How many candidates of each step are kept, at most ``L + 1``.
    """
    num_rows, num_labels = len(features), model.num_labels
    length, most = min(max_labels, num_labels), min(most, num_labels + 1)
    actions = torch.full((num_rows, length), -1, dtype=torch.int64, device=features.device)
    probabilities = torch.zeros(num_rows, length, device=features.device)
    candidates = torch.full((num_rows, length, most), -1, dtype=torch.int64, device=features.device)
    candidate_probabilities = torch.zeros(num_rows, length, most, device=features.device)
    running = RunningChains(model, features)
    for step in range(length):
        shares, rows = numbers(running.log_probs()).exp().float(), running.rows
        # A stable sort: of equal ones the first is taken, labels before STOP.
        best, order = shares.sort(dim=1, descending=True, stable=True)
        action = order[:, 0]
        actions[rows, step], probabilities[rows, step] = action, best[:, 0]
        candidates[rows, step], candidate_probabilities[rows, step] = order[:, :most], best[:, :most]
        going = action < num_labels
        running.keep(going)
        if step + 1 == length or len(running.rows) == 0:
            break
        running.emit(action[going])
    longest = max(1, int((actions >= 0).sum(dim=1).max())) if num_rows else 1
    arrays: list[Tensor] = [actions, probabilities, candidates, candidate_probabilities]
    return ChainSteps(*(array[:, :longest].cpu().numpy() for array in arrays))
