"""Training steps of the chain network, as every learner of labelchain takes them, for benchmarks."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from benchmarks.measuring import Work
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.gradient_step import gradient_step, optimiser_of
from labelchain.agents.likelihood import Batch, Objective, shuffled_batches
from labelchain.agents.networks import make_network
from labelchain.agents.policy_gradient import RLObjective
from labelchain.agents.settings import Settings
from labelchain.envs import MultilabelDataset


class DrawnOnly:
    """An objective on drawn chains; counts the actions drawn, not those that were given besides."""

    def __init__(self, objective: RLObjective) -> None:
        self._objective = objective

    def loss(
        self, network: ChainNetwork, batch: Batch, generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss, with ``env_steps`` those of the chains drawn."""
        rollout = self._objective.draw(network, batch, generator)
        loss, logs = self._objective.loss_on(network, batch, rollout, generator)
        return loss, logs | {"env_steps": int((rollout.actions >= 0).sum())}


def training(
    dataset: MultilabelDataset,
    settings: Settings,
    objective: Objective,
    network: ChainNetwork | None = None,
    batches: int = 4,
) -> Work:
    """Gradient steps on batches of training rows, epoch after epoch; the unit is a label (or a STOP).

    Args:
        dataset: The data.
        settings: Batch size, learning rate, and the network's shape.
        objective: What is trained for.
        network: What is trained; by default one of that shape.
        batches: Gradient steps at a time.
    """
    network = make_network(dataset, settings.network()) if network is None else network
    optimiser = optimiser_of(network, settings.learning_rate)
    generator = torch.Generator().manual_seed(0)
    epoch = shuffled_batches(dataset.rows("train"), settings.batch_size, seed=0)
    rows = itertools.cycle(epoch)
    network.train()

    def work() -> int:
        labels = 0.0
        for batch in itertools.islice(rows, batches):
            loss, logs = objective.loss(network, Batch.of(dataset, batch), generator)
            gradient_step(network, optimiser, loss, settings.clip)
            labels += logs["env_steps"]
        return int(np.rint(labels))

    return work
