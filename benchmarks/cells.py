"""Training speed of the two cells, and of ``gru`` against a naive one: ``python -m benchmarks.cells``.

On Delicious at width 512; batches of 128 rows, gradient steps included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.measuring import Comparison, Options, Work, compare, options, report
from benchmarks.naive_gru import NaiveGRU, PassPerTerm
from benchmarks.training_steps import training
from labelchain.agents.chain_network import ChainNetwork
from labelchain.agents.chain_pg import rl_objective
from labelchain.agents.likelihood import LikelihoodObjective, Objective, RandomOrder
from labelchain.agents.order_free import OrderFreeObjective
from labelchain.agents.policy_gradient import PolicyGradientObjective
from labelchain.agents.scaling import scaling_for
from labelchain.agents.settings import Settings, settings_for
from labelchain.envs import MultilabelDataset, load_dataset
from labelchain.envs.rewards import make_reward


class Trainer:
    """Makes training work on one data set, with one width for every part of a network."""

    def __init__(self, dataset: MultilabelDataset, width: int) -> None:
        self.dataset = dataset
        self._size = {"width": width, "embedding": width, "hidden": width}

    def settings(self, **changes: Any) -> Settings:
        """The settings that suit the data, with the width and some changes."""
        return settings_for(self.dataset).with_changes(self._size | changes)

    def work(self, objective: Objective, cell: str, network: ChainNetwork | None = None) -> Work:
        """Training steps of a cell."""
        return training(self.dataset, self.settings(cell=cell), objective, network, batches=1)

    def naive(self) -> ChainNetwork:
        """A naive ``gru`` of the same shape."""
        data, config = self.dataset, self.settings(cell="gru").network()
        network = NaiveGRU(data.num_features, data.num_labels, config, scaling_for(data))
        network.scaler.fit(data)
        return network


def cell_against_cell(trainer: Trainer, chosen: Options) -> list[Comparison]:
    """``sum`` against ``gru``, for three learners."""
    chain_pg = rl_objective(trainer.settings(), trainer.dataset)
    objectives: dict[str, tuple[Objective, float | None]] = {
        "always-random": (LikelihoodObjective(RandomOrder()), 5.0),
        "order-free": (OrderFreeObjective(), None),
        "chain-pg": (chain_pg, 5.0),
    }
    return [
        compare(
            f"{name}, cells",
            "labels",
            ("sum", trainer.work(objective, "sum")),
            ("gru", trainer.work(objective, "gru")),
            target,
            chosen,
        )
        for name, (objective, target) in objectives.items()
    ]


def against_naive(trainer: Trainer, chosen: Options) -> list[Comparison]:
    """Both cells against a naive ``gru``: the projections alone, and with a pass per term of the loss."""
    dataset = trainer.dataset
    sampled = trainer.settings(estimator="sampled")
    arguments = (sampled.chain_limit(dataset), sampled.discount, sampled.entropy)
    reward = make_reward(sampled.reward, dataset.num_labels)
    once, per_term = PolicyGradientObjective(reward, *arguments), PassPerTerm(reward, *arguments)
    likelihood = LikelihoodObjective(RandomOrder())
    return [
        compare(
            "always-random, sum against a naive gru",
            "labels",
            ("sum", trainer.work(likelihood, "sum")),
            ("naive gru", trainer.work(likelihood, "gru", trainer.naive())),
            None,
            chosen,
        ),
        compare(
            "always-random: one pass either way",
            "labels",
            ("gru", trainer.work(likelihood, "gru")),
            ("naive gru", trainer.work(likelihood, "gru", trainer.naive())),
            None,
            chosen,
        ),
        compare(
            "chain-pg, estimator=sampled",
            "labels",
            ("gru", trainer.work(once, "gru")),
            ("naive gru, pass per loss", trainer.work(per_term, "gru", trainer.naive())),
            1.5,
            chosen,
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer all questions."""
    chosen = options(__doc__, arguments)
    trainer = Trainer(load_dataset("digit-scenes" if chosen.tiny else "delicious"), 8 if chosen.tiny else 512)
    report("cells", [*cell_against_cell(trainer, chosen), *against_naive(trainer, chosen)], chosen)


if __name__ == "__main__":
    main()
