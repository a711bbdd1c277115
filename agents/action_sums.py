"""What the logits at steps of chains add up to; their gradient is one pass over them.

Of the logits of a step, the objectives need two sums and those of a few labels. Put together from torch's
operations, the gradient of each would fill a tensor of the size of all logits, and add it to the others.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

IMPOSSIBLE = -1e30
"""The logit of what cannot be emitted: finite, so that its gradient is 0 and not undefined."""


class ActionSums(NamedTuple):
    """Logarithms of unnormalised probabilities at ``m`` steps of chains, with gradient.

    Attributes:
        of_labels: ``(m,)``, of any label that is not out yet; some are left at every step.
        of_stop: ``(m,)``, of STOP.
        of_right: ``(m, most)``, of each right label; :data:`IMPOSSIBLE` if it is out, and for padding.
    """

    of_labels: Tensor
    of_stop: Tensor
    of_right: Tensor

    @property
    def of_all(self) -> Tensor:
        """Of any action, ``(m,)``."""
        return torch.logaddexp(self.of_labels, self.of_stop)


def action_sums(logits: Tensor, out: Tensor, right: Tensor) -> ActionSums:
    """Add up the logits at each of ``m`` steps; their gradient can be asked for once.

    Right labels are few, so their logits are gathered instead of spreading a reward over all L.

    Args:
        logits: ``(m, L + 1)``; their memory is written over, so nothing else may need them.
        out: ``(m, length)`` int64, the labels that are out before a step, padded with L.
        right: ``(m, most)`` int64, the labels that would be right, padded with -1.
    """
    of_labels, of_stop, of_right = _Sums.apply(logits, out, right.clamp(min=0))  # type: ignore[no-untyped-call]
    impossible = (right < 0) | (of_right <= 0.5 * IMPOSSIBLE)
    return ActionSums(of_labels, of_stop, of_right.masked_fill(impossible, IMPOSSIBLE))


def given_sums(logits: Tensor, right: Tensor) -> ActionSums:
    """As :func:`action_sums`, at steps of given chains: nothing is taken out."""
    stop = logits.shape[1] - 1
    return action_sums(logits, torch.full((len(logits), 1), stop, device=logits.device), right)


def log_likelihood(sums: ActionSums, targets: Tensor, stop: int) -> Tensor:
    """The log-probability of the one right action of each step.

    Args:
        sums: At ``m`` steps; their first right label is that of :func:`one_right`.
        targets: ``(m,)`` int64, the right actions.
        stop: The action that is no label.
    """
    return torch.where(targets < stop, sums.of_right[:, 0], sums.of_stop) - sums.of_all


def one_right(targets: Tensor, stop: int) -> Tensor:
    """The right label of each step ``(m, 1)``, -1 where STOP is right, given the right actions ``(m,)``."""
    return torch.where(targets < stop, targets, -1)[:, None]


class _Sums(torch.autograd.Function):
    """From logits ``(m, L + 1)``, the labels out before each step, and some to be gathered."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, out: Tensor, wanted: Tensor) -> tuple[Tensor, ...]:
        of_stop = logits[:, -1].clone()
        # In place: new memory of that size takes longer than what is computed in it.
        possible = logits.scatter_(1, out, IMPOSSIBLE)  # STOP too, where ``out`` is padded
        possible[:, -1] = IMPOSSIBLE
        gathered = possible.gather(1, wanted)
        largest = possible.amax(dim=1, keepdim=True)
        shares = possible.sub_(largest).exp_()
        total = shares.sum(dim=1, keepdim=True)
        ctx.save_for_backward(shares, total, wanted)
        return (largest + total.log()).squeeze(1), of_stop, gathered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        shares, total, wanted = ctx.saved_tensors
        to_labels, to_stop, to_wanted = gradients
        gradient = shares.detach().mul_(to_labels[:, None] / total)  # in place, for the same reason
        gradient[:, -1] = to_stop
        return gradient.scatter_add_(1, wanted, to_wanted), None, None
