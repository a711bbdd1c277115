"""Parts of a training step as they were once, to measure what each change gave."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labelchain.agents.action_sums import IMPOSSIBLE, ActionSums
from labelchain.agents.chain_network import Steps, chain_dropout
from labelchain.agents.first_layers import of_sparse
from labelchain.agents.sum_network import SumNetwork


class PassPerChain(SumNetwork):
    """The ``sum`` cell that looks at the chains of an input one after the other.

    So do the two that compute padding: in one pass they would pad short chains to the length of long ones.
    """

    def at_steps_of(self, features: Tensor, wanted: Sequence[Steps]) -> Tensor:
        """See :meth:`ChainNetwork.at_steps_of`."""
        return torch.cat([self.at_steps(features, *steps)[0] for steps in wanted])


class CumulatedSums(PassPerChain):
    """The ``sum`` cell whose sums of embeddings are cumulated over all steps of every chain."""

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`ChainNetwork.at_steps`."""
        inputs = self._scaled(features)
        of_chain, steps = kept.nonzero(as_tuple=True)
        rows, num_rows = of_chain % len(features), len(features)
        labels = torch.where(chains < 0, self.num_labels, chains)
        sums = nn.functional.pad(self.embed(labels).cumsum(dim=1), (0, 0, 1, 0))[kept]
        rate, training = self.config.dropout, self.training
        normed = self.norm(
            self.project(inputs).index_select(0, rows) + sums / steps.clamp(min=1).sqrt()[:, None]
        )
        hidden = normed + torch.relu(self.residual(chain_dropout(normed, rows, num_rows, rate, training)))
        logits = self.output(chain_dropout(hidden, rows, num_rows, rate, training))
        if self.skip is not None:
            logits = logits + self.skip(inputs).index_select(0, rows)
        return logits, hidden


class GatheredInput(SumNetwork):
    """The ``sum`` cell that begins to decode few rows, too, by what is not zero in them alone."""

    def _first(self, features: Tensor, layers: Sequence[nn.Linear]) -> tuple[Tensor, ...]:
        return of_sparse(self._scaled(features), layers)


class EveryStep(PassPerChain):
    """The ``sum`` cell that computes padding too, and picks what is wanted."""

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`ChainNetwork.at_steps`."""
        logits, hidden = super().at_steps(features, chains, torch.ones_like(kept))
        return logits.view(*kept.shape, -1)[kept], hidden.view(*kept.shape, -1)[kept]


class AsItWas(CumulatedSums, GatheredInput):
    """All of these."""

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`ChainNetwork.at_steps`."""
        logits, hidden = super().at_steps(features, chains, torch.ones_like(kept))
        return logits.view(*kept.shape, -1)[kept], hidden.view(*kept.shape, -1)[kept]


def dropout_by_bernoulli(values: Tensor, rows: Tensor, num_rows: int, rate: float, training: bool) -> Tensor:
    """``chain_dropout`` that draws its masks from Bernoulli distributions."""
    if not training or rate == 0.0:
        return values
    keep = torch.full((num_rows, values.shape[1]), 1.0 - rate)
    return values * (torch.bernoulli(keep) / (1.0 - rate)).index_select(0, rows)


def draw_by_multinomial(log_probs: Tensor, places: Tensor) -> Tensor:
    """``draw`` with a random number for each action."""
    del places
    return torch.multinomial(log_probs.exp(), 1).squeeze(1)


def sums_of_operations(logits: Tensor, out: Tensor, right: Tensor) -> ActionSums:
    """``action_sums`` of torch's operations, each with a gradient of its own."""
    marks = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, out, True)
    marks[:, -1] = False  # padding
    logits = logits.masked_fill(marks, IMPOSSIBLE)
    of_right = logits.gather(1, right.clamp(min=0)).masked_fill(right < 0, IMPOSSIBLE)
    return ActionSums(logits[:, :-1].logsumexp(dim=1), logits[:, -1], of_right)


def unfused_adam(network: nn.Module, learning_rate: float) -> torch.optim.Adam:
    """``optimiser_of`` with one operation after the other."""
    return torch.optim.Adam(network.parameters(), lr=learning_rate, foreach=False, fused=False)
