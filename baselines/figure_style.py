"""What all figures of a comparison share: one colour and one marker for each learner, axes, files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from labelchain.agents.sb3 import load_sb3
from labelchain.baselines.learners import COMPOSITE, FOUR_ORDERS, LEARNERS
from labelchain.baselines.results import LINEAR
from labelchain.envs.files import written_beside


class Look(NamedTuple):
    """How the learners of a group are drawn."""

    colour: str
    markers: str
    """In the order of :data:`LEARNERS`: a learner looks the same whatever else is compared."""


GROUPS = {
    "no network": Look("#e69f00", "osD^v"),
    "order given or random": Look("#757575", "osD^v<>"),
    "order the network's own": Look("#1565c0", "hpD^<P*"),
    "composites": Look("#c62828", "osvX"),
    "Stable-Baselines3": Look("#56b4e9", "osD^v<>"),
}
"""What colours mean, ensembles included: any two of them differ to colour-blind eyes, too.

Markers of the network's own orders and of composites, which gains are of, differ among both.
"""
LINEAR_GROUP, ORDERS_GROUP, OWN_GROUP, COMPOSITE_GROUP, SB3_GROUP = GROUPS
IN_A_DECADE = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,))
"""Where ticks of logarithmic axes may be."""


def group_of(learner: str) -> str:
    """Which of :data:`GROUPS` a learner is in; an ensemble of one learner is where that one is."""
    if COMPOSITE in learner:
        return COMPOSITE_GROUP
    if learner in ("popularity", *LINEAR):
        return LINEAR_GROUP
    parts = {part.learner for part in LEARNERS[learner].parts} or {learner}
    if parts <= {*FOUR_ORDERS}:
        return ORDERS_GROUP
    return SB3_GROUP if LEARNERS[learner].load is load_sb3 else OWN_GROUP


def colour_of(learner: str) -> str:
    """The colour of a learner's group."""
    return GROUPS[group_of(learner)].colour


def marker_of(learner: str) -> str:
    """What a learner's points look like: no other of its colour has the same."""
    group = group_of(learner)
    markers = GROUPS[group].markers
    return markers[[name for name in LEARNERS if group_of(name) == group].index(learner) % len(markers)]


def legend_of_groups(figure: Figure, learners: Iterable[str]) -> None:
    """Say below the axes what the colours of these learners mean."""
    found = {group_of(learner) for learner in learners}
    handles = [
        Line2D([], [], color=look.colour, marker="o", ls="", ms=5, label=group)
        for group, look in GROUPS.items()
        if group in found
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
        handletextpad=0.1,
    )


def legend_of_learners(figure: Figure, axes: Axes) -> None:
    """Name beside all axes what one of them shows."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", frameon=False, fontsize=8)


def plain_log_ticks(axes: Axes, most: int) -> None:
    """Write numbers out along a horizontal axis, logarithmic from here on: about so many at most."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = math.log10(high / low)
    chosen = next((each for each in IN_A_DECADE if len(each) * decades <= most), IN_A_DECADE[-1])
    axes.xaxis.set_major_locator(LogLocator(subs=chosen))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def new_figure(width: float, height: float) -> Figure:
    """A figure of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure, beside and renamed."""
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=120)
