"""The ``sum`` cell: the labels so far are a set."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelchain.agents.chain_network import ChainNetwork, NetworkConfig, State, chain_dropout, precise
from labelchain.agents.scaling import Scaling
from labelchain.agents.steps import inputs_of


class SumNetwork(ChainNetwork):
    """The ``sum`` cell: projected input plus scaled sum of embeddings, layer-normalised; leaky ReLU units."""

    state_parts = 3

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__(num_features, num_labels, config, scaling)
        self.project = nn.Linear(num_features, config.width)
        self.embed = nn.Embedding(num_labels + 1, config.width, padding_idx=num_labels)
        # Small at first: embeddings of unit variance would drown the projection of the input.
        with torch.no_grad():
            self.embed.weight.mul_(0.02)
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, num_labels + 1)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        of_chain, steps = kept.nonzero(as_tuple=True)
        rows = inputs_of(chains, len(features))[of_chain]
        projected = self.project(self._scaled(features)).index_select(0, rows)
        hidden = self._units(self._normed(projected, self._sums(chains, of_chain, steps), steps[:, None]))
        copies = len(chains) // len(features)
        dropped = chain_dropout(hidden, of_chain, len(features), copies, self.config.dropout, self.training)
        return precise(self.output(dropped)), hidden

    def _sums(self, chains: Tensor, of_chain: Tensor, steps: Tensor) -> Tensor:
        """The sum of the embeddings of the labels before each step ``(m,)`` of a chain ``(m,)``."""
        # A bag holds the labels before a step; a cumulated sum would look at every step of every chain.
        chains = chains[of_chain]
        before = (torch.arange(chains.shape[1], device=chains.device) < steps[:, None]) & (chains >= 0)
        ends = before.sum(dim=1).cumsum(dim=0)
        starts = nn.functional.pad(ends[:-1], (1, 0))
        return nn.functional.embedding_bag(chains[before], self.embed.weight, starts, mode="sum")

    def start(self, features: Tensor) -> State:  # noqa: D102
        (projected,) = self._first(features, [self.project])
        return projected, torch.zeros_like(projected), torch.zeros(len(features), 1, device=features.device)

    def advance(self, state: State, labels: Tensor) -> State:  # noqa: D102
        projected, sums, steps = state
        return projected, sums + self.embed(labels), steps + 1

    def logits(self, state: State) -> Tensor:  # noqa: D102
        result: Tensor = self.output(self._units(self._normed(*state)))
        return result

    def _normed(self, projected: Tensor, sums: Tensor, steps: Tensor) -> Tensor:
        result: Tensor = self.norm((sums / steps.clamp(min=1).sqrt()).add_(projected))
        return result

    def _units(self, normed: Tensor) -> Tensor:
        return nn.functional.leaky_relu_(normed, self.config.slope)
