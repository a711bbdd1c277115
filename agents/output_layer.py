"""The layer that gives logits, a number for each action: a matrix product whose rows lie well in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

VECTOR = 16
"""Numbers in a processor's widest vectors."""
FEWEST_RESULTS = 2**18
"""For fewer results, which stay in a processor's cache, nothing is to be gained."""


class OutputLayer(nn.Linear):
    """As :class:`torch.nn.Linear`, for inputs ``(n, in_features)``: the same numbers, sooner.

    L labels and STOP are often an odd number, and a product into dense rows of that size takes a processor up
    to half as long again as one into rows that begin at whole vectors.
    """

    bias: nn.Parameter  # always there

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)

    def forward(self, hidden: Tensor) -> Tensor:
        """The results ``(n, out_features)``; their rows may have gaps between them."""
        few = len(hidden) * self.out_features < FEWEST_RESULTS
        elsewhere = hidden.device.type != "cpu" or torch.is_autocast_enabled("cpu")
        if few or elsewhere or self.out_features % VECTOR == 0:
            return super().forward(hidden)
        result: Tensor = _Product.apply(hidden, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return result


class _Product(torch.autograd.Function):
    """``hidden @ weight.T + bias``, into rows that begin at whole vectors."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(hidden, weight)
        columns = len(weight)
        stride = -(-columns // VECTOR) * VECTOR
        result = hidden.new_empty_strided((len(hidden), columns), (stride, 1))
        return torch.addmm(bias, hidden, weight.t(), out=result)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, weight = ctx.saved_tensors
        (gradient,) = gradients
        return gradient @ weight, gradient.t() @ hidden, gradient.sum(dim=0)
