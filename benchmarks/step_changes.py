"""What a training step is made of, and what each change to it gave: ``python -m benchmarks.step_changes``.

A step of chain-pg on Delicious at width 512, batches of 128 rows: with all changes, without one of them at a
time, and without any. Some change the network or the loss; the others together are told apart. Then the
operations that take most time, without any and with all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from benchmarks import earlier_steps as earlier
from benchmarks.measuring import Comparison, Options, Work, compare, options, report
from benchmarks.training_steps import training
from labelchain.agents.chain_pg import rl_objective
from labelchain.agents.expected_reward import ExpectedRewardObjective
from labelchain.agents.likelihood import LikelihoodObjective, RandomOrder
from labelchain.agents.scaling import scaling_for
from labelchain.agents.settings import settings_for
from labelchain.agents.sum_network import SumNetwork
from labelchain.envs import MultilabelDataset, load_dataset

PROFILED = 8
"""Steps that are profiled."""
OPERATIONS = 8
"""How many of a profile's operations are shown."""


Patches = dict[str, object]
"""What stood in the place of names."""


@dataclass(frozen=True)
class Change:
    """Something that is faster now.

    Attributes:
        network: The network as it was.
        patches: What stood in the place of names.
        whole_anchor: Whether the anchor looked at every step of its chains.
        beside: The network that it is measured against.
    """

    network: type[SumNetwork] = SumNetwork
    patches: Patches = field(default_factory=dict)
    whole_anchor: bool = False
    beside: type[SumNetwork] = SumNetwork


DROPOUT: Patches = {"labelchain.agents.sum_network.chain_dropout": earlier.dropout_by_bernoulli}
DRAW: Patches = {"labelchain.agents.decoding.draw": earlier.draw_by_multinomial}
SUMS: Patches = {"labelchain.agents.expected_reward.action_sums": earlier.sums_of_operations}
ADAM: Patches = {"benchmarks.training_steps.optimiser_of": earlier.unfused_adam}
CHANGES = {
    "the anchor at 4 steps of a chain, not at each": Change(whole_anchor=True),
    "no padding computed": Change(earlier.EveryStep, beside=earlier.PassPerChain),
    "embeddings summed in bags, not cumulated": Change(earlier.CumulatedSums, beside=earlier.PassPerChain),
    "one random number for an action drawn, not one for each label": Change(patches=DRAW),
    "one pass for the chains drawn and given": Change(earlier.PassPerChain),
    "logits of a step summed in one pass": Change(patches=SUMS),
    "Adam in one operation": Change(patches=ADAM),
    "no residual layer before the output": Change(earlier.WithResidual),
    "no linear skip from the input to the logits": Change(earlier.WithSkip),
    "dropout masks from uniform numbers": Change(patches=DROPOUT),
    "dense products for the input of few rows": Change(earlier.GatheredInput),
}
NOTHING = Change()
EVERYTHING = Change(earlier.AsItWas, DROPOUT | DRAW | ADAM | SUMS, whole_anchor=True)
SAME = Change(earlier.SameNetwork, DROPOUT | DRAW | ADAM | SUMS)
TOGETHER = {"all that leave network and loss as they are": SAME, "all of them": EVERYTHING}


def step(dataset: MultilabelDataset, width: int, without: Change) -> Work:
    """Training steps without a change."""
    settings = settings_for(dataset).with_changes({"width": width})
    objective = rl_objective(settings, dataset)
    assert isinstance(objective, ExpectedRewardObjective)
    if without.whole_anchor:
        objective._anchor = LikelihoodObjective(RandomOrder())
    torch.manual_seed(0)
    network = without.network(
        dataset.num_features, dataset.num_labels, settings.network(), scaling_for(dataset)
    )
    network.scaler.fit(dataset)

    def patched() -> ExitStack:
        stack = ExitStack()
        for name, was in without.patches.items():
            stack.enter_context(mock.patch(name, was))
        return stack

    with patched():
        steps = training(dataset, settings, objective, network, batches=1)

    def work() -> int:
        with patched():
            steps()
        return 1

    return work


def operations(work: Work, title: str) -> list[dict[str, Any]]:
    """Print and return the operations that take most time."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(PROFILED):
            work()
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    found = [
        {
            "operation": event.key,
            "share": event.self_cpu_time_total / total,
            "ms": event.self_cpu_time_total / PROFILED / 1e3,
            "calls": event.count / PROFILED,
        }
        for event in events[:OPERATIONS]
    ]
    table = Table("operation", "share", "ms a step", "calls a step", title=title)
    for one in found:
        table.add_row(one["operation"], f"{one['share']:.0%}", f"{one['ms']:.1f}", f"{one['calls']:.0f}")
    all_of_them = total / PROFILED / 1e3
    table.add_row("all", "100%", f"{all_of_them:.1f}", "")
    Console().print(table)
    return [*found, {"operation": "all", "share": 1.0, "ms": all_of_them}]


def ablations(dataset: MultilabelDataset, width: int, chosen: Options) -> list[Comparison]:
    """With all changes against without one of them, and against without any."""
    return [
        compare(
            name,
            "steps",
            ("with", step(dataset, width, Change(change.beside))),
            ("without", step(dataset, width, change)),
            None,
            chosen,
        )
        for name, change in (CHANGES | TOGETHER).items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the changes, then profile both ends."""
    chosen = options(__doc__, arguments)
    dataset, width = load_dataset("digit-scenes" if chosen.tiny else "delicious"), 8 if chosen.tiny else 512
    comparisons = ablations(dataset, width, chosen)
    profiles = {
        title: operations(step(dataset, width, without), title)
        for title, without in (("without any", EVERYTHING), ("now", NOTHING))
    }
    report("step_changes", comparisons, chosen, {"profiles": profiles})


if __name__ == "__main__":
    main()
