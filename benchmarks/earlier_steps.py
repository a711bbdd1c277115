"""Parts of a training step as they were once, to measure what each change gave."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labelchain.agents.action_sums import IMPOSSIBLE, ActionSums
from labelchain.agents.chain_network import NetworkConfig, State
from labelchain.agents.first_layers import of_sparse
from labelchain.agents.scaling import Scaling
from labelchain.agents.steps import Steps, inputs_of
from labelchain.agents.sum_network import SumNetwork
from labelchain.agents.whole_batch import dropout


class PassPerChain(SumNetwork):
    """The ``sum`` cell that looks at the chains of an input one after the other.

    In one pass, those that compute padding would pad short chains to the length of long ones.
    """

    def at_steps_of(self, features: Tensor, wanted: Sequence[Steps]) -> Tensor:
        """See :meth:`ChainNetwork.at_steps_of`."""
        return torch.cat([self.at_steps(features, *steps)[0] for steps in wanted])


class CumulatedSums(PassPerChain):
    """The ``sum`` cell whose sums of embeddings are cumulated over all steps of every chain."""

    def _sums(self, chains: Tensor, of_chain: Tensor, steps: Tensor) -> Tensor:
        labels = torch.where(chains < 0, self.num_labels, chains)
        sums = nn.functional.pad(self.embed(labels).cumsum(dim=1), (0, 0, 1, 0))
        return sums[of_chain, steps]


class WithSkip(SumNetwork):
    """The ``sum`` cell with a linear skip from the input to the logits."""

    state_parts = 4

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__(num_features, num_labels, config, scaling)
        self.skip = nn.Linear(num_features, num_labels + 1, bias=False)

    def at_steps(self, features: Tensor, chains: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`ChainNetwork.at_steps`."""
        logits, hidden = super().at_steps(features, chains, kept)
        rows = inputs_of(chains, len(features))[kept.nonzero(as_tuple=True)[0]]
        logits += self.skip(self._scaled(features)).index_select(0, rows)
        return logits, hidden

    def start(self, features: Tensor) -> State:
        """See :meth:`ChainNetwork.start`."""
        return (*super().start(features), *self._first(features, [self.skip]))

    def advance(self, state: State, labels: Tensor) -> State:
        """See :meth:`ChainNetwork.advance`."""
        return (*super().advance(state[:-1], labels), state[-1])

    def logits(self, state: State) -> Tensor:
        """See :meth:`ChainNetwork.logits`."""
        return super().logits(state[:-1]) + state[-1]


class WithResidual(SumNetwork):
    """The ``sum`` cell with a residual layer between its normalised state and the output.

    Dropout before it has a mask for each step, not for each chain, which takes about as long.
    """

    def __init__(
        self, num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling = "none"
    ) -> None:
        super().__init__(num_features, num_labels, config, scaling)
        self.residual = nn.Linear(config.width, config.width)

    def _units(self, normed: Tensor) -> Tensor:
        dropped = dropout(normed, self.config.dropout, self.training)
        result: Tensor = normed + torch.relu(self.residual(dropped))
        return result


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


class SameNetwork(EveryStep, CumulatedSums, GatheredInput):
    """All of these that compute what the ``sum`` cell does."""


class AsItWas(SameNetwork, WithSkip, WithResidual):
    """All of these."""


def dropout_by_bernoulli(
    values: Tensor, of_chain: Tensor, num_inputs: int, copies: int, rate: float, training: bool
) -> Tensor:
    """``chain_dropout`` that draws its masks from Bernoulli distributions."""
    if not training or rate == 0.0:
        return values
    keep = torch.full((num_inputs * copies, values.shape[1]), 1.0 - rate)
    return values * (torch.bernoulli(keep) / (1.0 - rate)).index_select(0, of_chain)


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
