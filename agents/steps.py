"""Steps of chains: which are looked at, and what is out or right at each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Steps(NamedTuple):
    """Some steps of chains.

    Attributes:
        chains: ``(n, length)`` int64 labels, padded with -1.
        kept: ``(n, length + 1)`` bool, whether each step is looked at; the first is before any label.
    """

    chains: Tensor
    kept: Tensor


def drawn_steps(actions: Tensor, stop: int) -> Steps:
    """Every step of drawn chains, up to their ends.

    Args:
        actions: ``(n, length)`` int64, from :func:`labelchain.agents.decoding.sample_chains`.
        stop: The action that is no label.
    """
    return Steps(torch.where(actions < stop, actions, -1)[:, :-1], actions >= 0)


def inputs_of(chains: Tensor, num_inputs: int) -> Tensor:
    """The input of each chain, ``(k * n,)`` int64: one chain of each input, then another of each.

    Args:
        chains: ``(k * n, length)``.
        num_inputs: n.

    Raises:
        ValueError: If there are no inputs, or not as many chains of each.
    """
    if num_inputs == 0 or len(chains) % num_inputs:
        raise ValueError(f"{len(chains)} chains of {num_inputs} inputs: expected inputs, and as many of each")
    return torch.arange(num_inputs, device=chains.device).repeat(len(chains) // num_inputs)


def labels_before(drawn: Steps, stop: int) -> Tensor:
    """The labels that are out before each of the ``m`` steps of :func:`drawn_steps`, row by row.

    Returns:
        ``(m, length - 1)`` int64, padded with ``stop``.
    """
    chains, kept = drawn
    steps = torch.arange(kept.shape[1], device=chains.device)
    # Pairs of steps are few; cumulated marks would take a pass over all labels at every step.
    before = (steps[:-1] < steps[:, None]) & (chains >= 0)[:, None]
    return torch.where(before, chains[:, None], stop)[kept]


def at_each_step(labels: Tensor, steps: Steps) -> Tensor:
    """The true labels ``(n, most)`` again for each of ``m`` steps that are looked at, ``(m, most)``."""
    return labels.repeat_interleave(steps.kept.sum(dim=1), dim=0)


def without(logits: Tensor, out: Tensor, value: float) -> Tensor:
    """Logits ``(m, L + 1)`` with a value in the place of those of labels ``(m, length)``, padded with L."""
    left = logits.scatter(1, out, value)
    left[:, -1] = logits[:, -1]  # padding
    return left
