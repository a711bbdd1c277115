"""Step models averaged while one chain is decoded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from labelchain.agents.chain_network import State
from labelchain.agents.decoding import StepModel

SMALLEST_WEIGHT = torch.finfo(torch.float32).tiny
"""Smaller ones may be 0 as float32: their logarithm, or 0 times minus infinity, would be undefined."""

Mean = Literal["arithmetic", "geometric"]
"""Of probabilities (a linear opinion pool), or of their logarithms (a logarithmic one)."""


class AveragedModel:
    """Several step models whose distributions are averaged at every step of one chain.

    Args:
        models: One or more, of the same number of labels.
        weights: A positive weight each; equal ones by default.
        mean: Of the probabilities (``arithmetic``), or of their logarithms (``geometric``).
    """

    def __init__(
        self,
        models: Sequence[StepModel],
        weights: Sequence[float] | None = None,
        mean: Mean = "arithmetic",
    ) -> None:
        if not models or len({model.num_labels for model in models}) != 1:
            raise ValueError("averaging takes one or more models of the same number of labels")
        weights = [1.0] * len(models) if weights is None else list(weights)
        if len(weights) != len(models) or not all(0.0 < weight < math.inf for weight in weights):
            raise ValueError(f"expected a positive weight for each of {len(models)} models, got {weights}")
        self.models = list(models)
        self.mean = mean
        _, exponent = math.frexp(max(weights))
        scaled = [math.ldexp(weight, -exponent) for weight in weights]  # no sum is infinite; the same digits
        self._weights = [max(weight / sum(scaled), SMALLEST_WEIGHT) for weight in scaled]
        self.num_labels = models[0].num_labels
        self.state_parts = sum(model.state_parts for model in models)

    def start(self, features: Tensor) -> State:
        """All states, one after the other."""
        return tuple(tensor for model in self.models for tensor in model.start(features))

    def advance(self, state: State, labels: Tensor) -> State:
        """All states after one more label ``(n,)``."""
        parts = zip(self.models, self._split(state), strict=True)
        return tuple(tensor for model, part in parts for tensor in model.advance(part, labels))

    def log_probs(self, state: State, emitted: Tensor) -> Tensor:
        """The logarithms of the mean, which is a distribution again, ``(n, num_labels + 1)``."""
        parts = zip(self.models, self._split(state), strict=True)
        each = [model.log_probs(part, emitted) for model, part in parts]
        if self.mean == "geometric":
            terms = [weight * logs for weight, logs in zip(self._weights, each, strict=True)]
            return torch.stack(terms).sum(dim=0).log_softmax(dim=-1)
        terms = [math.log(weight) + logs for weight, logs in zip(self._weights, each, strict=True)]
        return torch.stack(terms).logsumexp(dim=0)

    def _split(self, state: State) -> list[State]:
        parts = iter(state)
        return [tuple(itertools.islice(parts, model.state_parts)) for model in self.models]
