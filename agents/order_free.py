"""Order-free targets: at each step, any true label that is still missing is as right as any other.

The field's name for this is optimal completion (S. Sabour et al. 2019, "Optimal Completion Distillation").
"""

from __future__ import annotations

import torch
from torch import Tensor

from labelchain.agents.likelihood import Batch, Logs, RandomOrder, sort_by_keys
from labelchain.agents.networks import ChainNetwork


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
        logits, _ = network(batch.features, chains)
        loss = order_free_cross_entropy(logits, chains)
        steps = int((chains >= 0).sum()) + len(chains)
        return loss, {"order_free_loss": loss.item(), "env_steps": steps}


def order_free_cross_entropy(logits: Tensor, chains: Tensor) -> Tensor:
    """Cross-entropy of each step with the uniform distribution over the labels that follow in the chain.

    Args:
        logits: ``(n, length + 1, L + 1)`` of the step after each prefix of ``chains``.
        chains: ``(n, length)`` int64, the true labels in any order, padded with -1.

    Returns:
        Summed over steps, mean over inputs; a scalar.
    """
    length, stop = chains.shape[1], logits.shape[-1] - 1
    true = chains >= 0
    counts = true.sum(dim=1, keepdim=True)  # (n, 1)
    steps = torch.arange(length + 1, device=chains.device)
    missing = true[:, None] & (steps[:length] >= steps[:, None])  # (n, step, position in the chain)
    shares = missing / (counts - steps).clamp(min=1)[..., None]
    # True labels are few: their logits are gathered, no target is spread over all L.
    of_true = logits.gather(2, chains.clamp(min=0)[:, None].expand(-1, length + 1, -1))
    of_target = (of_true * shares).sum(dim=2) + logits[..., stop] * (steps == counts)
    losses = logits.logsumexp(dim=2) - of_target
    return (losses * (steps <= counts)).sum() / len(chains)
