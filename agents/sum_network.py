"""The ``sum`` cell: the labels so far are a set."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labelchain.agents.chain_network import ChainNetwork, NetworkConfig, State, chain_dropout, precise
from labelchain.agents.scaling import Scaling
from labelchain.agents.steps import inputs_of

LARGEST_SKIP = 2**22
"""So many weights, at most, has the linear skip of the ``sum`` cell. Where it would have more, there is none:
for 100,000 features and 30,000 labels, it would take 12 GB."""


class SumNetwork(ChainNetwork):
    """The ``sum`` cell: projected input plus scaled sum of embeddings, layer-normalised, a residual layer.

    A linear skip from the input to the logits lets it be at least a linear classifier (if it has no more than
    :data:`LARGEST_SKIP` weights).
    """

    state_parts = 4

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
        self.residual = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, num_labels + 1)
        self.skip: nn.Linear | None = None
        if num_features * num_labels <= LARGEST_SKIP:
            self.skip = nn.Linear(num_features, num_labels + 1, bias=False)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        inputs = self._scaled(features)
        of_chain, steps = kept.nonzero(as_tuple=True)
        rows = inputs_of(chains, len(features))[of_chain]
        scaled = self._sums(chains, of_chain, steps) / steps.clamp(min=1).sqrt()[:, None]
        masks = len(features), len(chains) // len(features), self.config.dropout, self.training
        normed = self.norm(self.project(inputs).index_select(0, rows) + scaled)
        hidden = normed + torch.relu(self.residual(chain_dropout(normed, of_chain, *masks)))
        return precise(self._outputs(chain_dropout(hidden, of_chain, *masks), inputs, rows)), hidden

    def _sums(self, chains: Tensor, of_chain: Tensor, steps: Tensor) -> Tensor:
        """The sum of the embeddings of the labels before each step ``(m,)`` of a chain ``(m,)``."""
        # A bag holds the labels before a step; a cumulated sum would look at every step of every chain.
        chains = chains[of_chain]
        before = (torch.arange(chains.shape[1], device=chains.device) < steps[:, None]) & (chains >= 0)
        ends = before.sum(dim=1).cumsum(dim=0)
        starts = nn.functional.pad(ends[:-1], (1, 0))
        return nn.functional.embedding_bag(chains[before], self.embed.weight, starts, mode="sum")

    def _outputs(self, dropped: Tensor, inputs: Tensor, rows: Tensor) -> Tensor:
        """The logits from hidden states ``(m, width)`` of some rows ``(m,)`` of the inputs."""
        if self.skip is None:
            logits: Tensor = self.output(dropped)
            return logits
        # The product is added to the skip as it is computed: no other pass over all logits.
        skip = nn.functional.linear(inputs, self.skip.weight, self.output.bias).index_select(0, rows)
        weight = self.output.weight.to(skip.dtype)  # bfloat16 or float32, see :func:`precise`
        return skip.addmm_(dropped.to(skip.dtype), weight.t())

    def start(self, features: Tensor) -> State:  # noqa: D102
        layers = [self.project] if self.skip is None else [self.project, self.skip]
        projected, *skips = self._first(features, layers)
        steps = torch.zeros(len(features), 1, device=features.device)
        skip = skips[0] if skips else steps
        return projected, skip, torch.zeros_like(projected), steps

    def advance(self, state: State, labels: Tensor) -> State:  # noqa: D102
        projected, skip, sums, steps = state
        return projected, skip, sums + self.embed(labels), steps + 1

    def logits(self, state: State) -> Tensor:  # noqa: D102
        projected, skip, sums, steps = state
        normed = self.norm(projected + sums / steps.clamp(min=1).sqrt())
        result: Tensor = self.output(normed + torch.relu(self.residual(normed))) + skip
        return result
