"""An explanation as a figure: a panel of bars for each step, the action taken on top."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from labelchain.baselines.explanation import Candidate, Explanation, verdict
from labelchain.envs.files import written_beside

COLOURS = {"right": "#2a7d4f", "wrong": "#b8442e", "other": "#b9c0c7"}
"""Of the action taken, as it is right or wrong, and of the actions not taken."""
PER_ROW, MOST_STEPS, LONGEST_NAME = 4, 16, 22


def save_figure(explanation: Explanation, path: Path) -> None:
    """Write a PNG, beside and renamed; of a longer chain its first 16 steps.

    Args:
        explanation: What is drawn.
        path: The file.
    """
    steps = explanation.steps[:MOST_STEPS]
    has_picture = explanation.picture is not None
    panels = len(steps) + has_picture
    columns = min(PER_ROW, panels)
    rows = math.ceil(panels / columns)
    most = max(map(len, steps))
    figure = Figure(figsize=(3.1 * columns, 1.0 + rows * (1.0 + 0.28 * most)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: list[Axes] = list(np.atleast_1d(figure.subplots(rows, columns)).ravel())
    for spare in axes[panels:]:
        spare.set_axis_off()
    if explanation.picture is not None:
        place = axes.pop(0)
        place.imshow(explanation.picture, cmap="gray")
        place.set(xticks=[], yticks=[])
        place.set_title("input", fontsize=9, loc="left")
    for number, (step, place) in enumerate(zip(steps, axes, strict=False), start=1):
        _draw(place, step, f"step {number}")
        place.set_ylim(most - 0.4, -0.6)
    total = len(explanation.steps)
    cut = f" (first {MOST_STEPS} of {total} steps)" if total > MOST_STEPS else ""
    missed = f"; missed: {', '.join(map(_short, explanation.missed[:8]))}" if explanation.missed else ""
    lines = (
        explanation.title + cut,
        verdict(explanation) + missed,
        "first bar: what was taken, green if right, red if not; ✓: true label, or STOP once none is missing",
    )
    figure.suptitle(_plain("\n".join(lines)), fontsize=9)
    with written_beside(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw(place: Axes, step: tuple[Candidate, ...], title: str) -> None:
    taken = "right" if step[0].is_true else "wrong"
    colours = [COLOURS[taken], *[COLOURS["other"]] * (len(step) - 1)]
    places = range(len(step))
    shares = [candidate.probability for candidate in step]
    place.barh(places, shares, color=colours, height=0.7)
    for y, candidate in zip(places, step, strict=True):
        place.text(candidate.probability + 0.02, y, f"{candidate.probability:.0%}", va="center", fontsize=7)
    names = [_plain(_short(c.name)) + (" ✓" if c.is_true else "") for c in step]
    place.set_yticks(places, names, fontsize=8)
    for label, candidate in zip(place.get_yticklabels(), step, strict=True):
        label.set_fontstyle("italic" if candidate.is_stop else "normal")
    place.set(xlim=(0, 1.2), xticks=[])
    place.set_title(title, fontsize=9, loc="left")
    place.spines[["top", "right", "bottom"]].set_visible(False)
    place.tick_params(length=0)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")
