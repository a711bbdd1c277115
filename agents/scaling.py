"""How inputs are scaled before the network sees them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from labelchain.envs.datasets import MultilabelDataset

Scaling = Literal["unit-rows", "standard", "none"]

ROUNDING = 10 * torch.finfo(torch.float64).eps
"""A feature whose deviation is at most this share of its mean is constant: the sums themselves err so."""

SMALLEST_DEVIATION = torch.finfo(torch.float32).tiny
"""A feature with less of it is constant, too: one divided by less may be infinite in float32."""

SHORTEST = 1e-12
"""Of shorter rows, squares in float32 lose what counts."""


class InputScaler(nn.Module):
    """Scale inputs as the training rows ask for; part of the network, so that it is saved with it.

    Rows of sparse data sets (bags of words) get unit length; dense features get zero mean and unit variance
    over the training rows; pictures stay as they are.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, num_features: int, scaling: Scaling) -> None:
        super().__init__()
        self.scaling = scaling
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))

    def fit(self, dataset: MultilabelDataset) -> None:
        """Take mean and variance from the training rows (``standard`` only)."""
        if self.scaling != "standard":
            return
        features = torch.from_numpy(dataset.dense_features(dataset.rows("train"))).double()
        deviation, mean = features.std(dim=0, correction=0), features.mean(dim=0)
        varies = (deviation > ROUNDING * mean.abs()) & (deviation >= SMALLEST_DEVIATION)
        self.mean.copy_(mean)
        self.scale.copy_(1.0 / torch.where(varies, deviation, torch.ones_like(deviation)))

    def forward(self, features: Tensor) -> Tensor:
        """Scale ``(n, num_features)``."""
        if self.scaling == "unit-rows":
            return _of_unit_length(features)
        if self.scaling == "standard":
            return (features - self.mean) * self.scale
        return features


def _of_unit_length(rows: Tensor) -> Tensor:
    """Rows divided by their length; one of zeros alone stays as it is."""
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    scaled: Tensor = rows / length.clamp_min(SHORTEST)
    extreme = ((length < SHORTEST) | length.isinf()).squeeze(-1)
    if extreme.any():  # too much or too little for float32 when it is squared
        precise = rows[extreme].double()
        of_them = torch.linalg.vector_norm(precise, dim=-1, keepdim=True)
        scaled[extreme] = torch.where(of_them > 0, precise / of_them, precise).to(scaled.dtype)
    return scaled


def scaling_for(dataset: MultilabelDataset) -> Scaling:
    """The scaling that suits a data set, see :class:`InputScaler`."""
    if dataset.is_sparse:
        return "unit-rows"
    return "none" if dataset.image_shape is not None else "standard"
