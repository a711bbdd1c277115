"""Target reordering (Nam et al., ICML 2019): train on true labels in the order the network itself prefers."""

from __future__ import annotations

import torch
from torch import Tensor

from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.decoding import sample_chains
from labelchain.agents.likelihood import Batch
from labelchain.agents.whole_batch import uniform


class SampledOrder:
    """The order of a chain that the network samples.

    Wrong labels are dropped, right ones keep their order, missing true labels follow in random order.

    Args:
        max_labels: Chain limit while sampling.
    """

    def __init__(self, max_labels: int) -> None:
        self.max_labels = max_labels

    def keys(self, network: ChainNetwork, batch: Batch, generator: torch.Generator) -> Tensor:
        """The position of each true label in a sampled chain; random beyond its end for missing ones."""
        network.eval()  # the order that the network has without dropout
        chains = sample_chains(network, batch.features, self.max_labels, generator)
        network.train()
        return reordering_keys(chains, batch.labels, network.num_labels, generator)


def reordering_keys(chains: Tensor, labels: Tensor, num_labels: int, generator: torch.Generator) -> Tensor:
    """Keys that sort true labels by their position in a chain, missing ones behind in random order.

    Args:
        chains: ``(n, length)`` int64 distinct labels, STOP (``num_labels``) and padding (-1).
        labels: ``(n, most)`` int64 true labels, padded with -1.
        num_labels: L.
        generator: Draws the order of the missing labels.

    Returns:
        ``(n, most)`` float32.
    """
    length, device = chains.shape[1], chains.device
    position = torch.full((len(chains), num_labels + 1), length, dtype=torch.float32, device=device)
    index = torch.where(chains < 0, num_labels, chains)
    places = torch.arange(length, dtype=torch.float32, device=device)
    position.scatter_(1, index, places.expand_as(chains))
    keys = position.gather(1, labels.clamp(min=0))
    return keys + (keys == length) * uniform(labels.shape, generator, device)
