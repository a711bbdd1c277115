"""Makes the network that a configuration names."""

from __future__ import annotations

from labelchain.agents.chain_network import ChainNetwork, NetworkConfig
from labelchain.agents.gru_network import GRUNetwork
from labelchain.agents.scaling import Scaling, scaling_for
from labelchain.agents.sum_network import SumNetwork
from labelchain.envs.datasets import MultilabelDataset


def make_network(dataset: MultilabelDataset, config: NetworkConfig) -> ChainNetwork:
    """A network for a data set: input scaling from the training rows, weights from torch's global RNG."""
    network = build_network(dataset.num_features, dataset.num_labels, config, scaling_for(dataset))
    network.scaler.fit(dataset)
    return network


def build_network(
    num_features: int, num_labels: int, config: NetworkConfig, scaling: Scaling
) -> ChainNetwork:
    """A network of the given shape."""
    kind = SumNetwork if config.cell == "sum" else GRUNetwork
    return kind(num_features, num_labels, config, scaling)
