"""An explanation as a figure: a panel of bars for each step, the action taken on top."""

from __future__ import annotations

import math
from pathlib import Path

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

    A picture is the first panel, or beside all rows if that leaves less of the figure empty.

    Args:
        explanation: What is drawn.
        path: The file.
    """
    steps = explanation.steps[:MOST_STEPS]
    has_picture = explanation.picture is not None
    is_beside = has_picture and _empty(len(steps), PER_ROW - 1) < _empty(len(steps) + 1, PER_ROW)
    rows, columns = _grid(len(steps) + has_picture - is_beside, PER_ROW - is_beside)
    most = max(map(len, steps))
    size = 3.1 * (columns + is_beside), 1.0 + rows * (1.0 + 0.28 * most)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, columns + is_beside)
    cells = [grid[row, column + is_beside] for row in range(rows) for column in range(columns)]
    if explanation.picture is not None:
        place = figure.add_subplot(grid[:, 0] if is_beside else cells.pop(0))
        place.imshow(explanation.picture, cmap="gray")
        place.set(xticks=[], yticks=[])
        place.set_title("input", fontsize=9, loc="left")
    for number, (step, cell) in enumerate(zip(steps, cells, strict=False), start=1):
        place = figure.add_subplot(cell)
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


def _grid(panels: int, most: int) -> tuple[int, int]:
    """Rows and columns for so many panels, as even as at most so many in a row can be."""
    rows = math.ceil(panels / most)
    return rows, math.ceil(panels / rows)


def _empty(panels: int, most: int) -> int:
    """How many panels of that grid are left over."""
    return math.prod(_grid(panels, most)) - panels


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
