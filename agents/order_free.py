"""Order-free targets: at each step, any true label that is still missing is as right as any other.

The field's name for this is optimal completion (S. Sabour et al. 2019, "Optimal Completion Distillation").
"""

from __future__ import annotations

import torch
from torch import Tensor

from labelchain.agents.action_sums import given_sums
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.likelihood import Batch, Logs, RandomOrder, chain_targets, sort_by_keys
from labelchain.agents.whole_batch import rows_of_all


class OrderFreeObjective:
    """Cross-entropy with the uniform distribution over the missing true labels, or STOP if none is missing.

    The labels so far are a random permutation of the true labels. Summed over steps, mean over inputs. Its
    mean over permutations is that of the likelihood in random order; the noise of the next label is gone.
    """

    def __init__(self) -> None:
        self._order = RandomOrder()

    def loss(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Logs]:
        """The loss along one permutation per input."""
        chains = sort_by_keys(batch.labels, self._order.keys(network, batch, generator))
        kept = chain_targets(chains, network.num_labels) >= 0
        logits, _ = network.at_steps(batch.features, chains, kept)
        loss = order_free_cross_entropy(logits, chains, kept)
        return loss, {"order_free_loss": loss.item(), "env_steps": len(logits)}


def order_free_cross_entropy(logits: Tensor, chains: Tensor, kept: Tensor) -> Tensor:
    """Cross-entropy of each step with the uniform distribution over the labels that follow in the chain.

    Args:
        logits: ``(num_kept, L + 1)`` of the step after each prefix of ``chains``; their memory
            is written over.
        chains: ``(n, length)`` int64, the true labels in any order, padded with -1.
        kept: ``(n, length + 1)`` bool, the steps that ``logits`` are of, row by row.

    Returns:
        Summed over steps, mean over inputs; a scalar.
    """
    length = chains.shape[1]
    rows, steps = kept.nonzero(as_tuple=True)
    true = chains >= 0
    counts = true.sum(dim=1)[rows]
    missing = true[rows] & (torch.arange(length, device=chains.device) >= steps[:, None])
    shares = missing / (counts - steps).clamp(min=1)[:, None]
    # True labels are few: their logits are gathered, no target is spread over all L.
    sums = given_sums(logits, chains[rows])
    of_target = (sums.of_right * shares).sum(dim=1) + sums.of_stop * (steps == counts)
    return (sums.of_all - of_target).sum() / rows_of_all(len(chains))
