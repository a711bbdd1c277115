"""The layers that see the input, when most of the input is zero."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FEWEST_ROWS = 1024
"""For fewer rows, products by what is not zero are no faster than dense ones: they begin by putting the
weights in the order of the features, which takes as long for one row as for many."""


def of_sparse(inputs: Tensor, layers: Sequence[nn.Linear]) -> tuple[Tensor, ...]:
    """What linear layers give for the same inputs, by what is not zero alone.

    A row's result does not depend on the rows beside it.

    Args:
        inputs: ``(n, num_features)`` float32, most of it zeros.
        layers: Each from ``num_features`` to a width of its own.

    Returns:
        ``(n, width)`` from each layer.
    """
    rows, columns = inputs.nonzero(as_tuple=True)
    starts = torch.searchsorted(rows, torch.arange(len(inputs), device=rows.device))
    by_feature = torch.cat([layer.weight for layer in layers]).t().contiguous()
    products = nn.functional.embedding_bag(
        columns, by_feature, starts, mode="sum", per_sample_weights=inputs[rows, columns]
    )
    parts = torch.split(products, [layer.out_features for layer in layers], dim=1)
    return tuple(
        part if layer.bias is None else part + layer.bias for part, layer in zip(parts, layers, strict=True)
    )
