"""Chains by maximum likelihood: on true labels in an order, or in all orders at once."""

from __future__ import annotations

from labelchain.agents.likelihood import LikelihoodObjective, Order, RandomOrder
from labelchain.agents.order_free import OrderFreeObjective
from labelchain.agents.runs import Progress, Run
from labelchain.agents.training import train_for
from labelchain.baselines.orders import FixedOrder, frequent_first, rare_first, shuffled
from labelchain.baselines.reordering import SampledOrder
from labelchain.envs import MultilabelDataset


def _order_of(name: str, run: Run, dataset: MultilabelDataset) -> Order:
    if name == "always-random":
        return RandomOrder()
    if name == "target-reordering":
        return SampledOrder(run.settings.chain_limit(dataset))
    if name == "freq2rare":
        return FixedOrder(frequent_first(dataset))
    if name == "rare2freq":
        return FixedOrder(rare_first(dataset))
    return FixedOrder(shuffled(dataset, run.seed))


def train_in_order(name: str, run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Maximum likelihood on the true labels in an order."""
    return train_for(LikelihoodObjective(_order_of(name, run, dataset)), run, dataset, progress)


def train_order_free(run: Run, dataset: MultilabelDataset, progress: Progress) -> int:
    """Optimal-completion targets."""
    return train_for(OrderFreeObjective(), run, dataset, progress)
