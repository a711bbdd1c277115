"""How inputs are scaled before the network sees them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from labelchain.envs.datasets import MultilabelDataset

Scaling = Literal["unit-rows", "standard", "none"]


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
        deviation = features.std(dim=0, correction=0)
        self.mean.copy_(features.mean(dim=0))
        self.scale.copy_(1.0 / torch.where(deviation > 1e-8, deviation, torch.ones_like(deviation)))

    def forward(self, features: Tensor) -> Tensor:
        """Scale ``(n, num_features)``."""
        if self.scaling == "unit-rows":
            return nn.functional.normalize(features, dim=-1)
        if self.scaling == "standard":
            return (features - self.mean) * self.scale
        return features


def scaling_for(dataset: MultilabelDataset) -> Scaling:
    """The scaling that suits a data set, see :class:`InputScaler`."""
    if dataset.is_sparse:
        return "unit-rows"
    return "none" if dataset.image_shape is not None else "standard"
