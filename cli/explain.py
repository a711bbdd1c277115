"""``labelchain explain``: the chain of one input in the terminal, with the distribution of every step."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from labelchain.baselines.explanation import Candidate, Explanation, verdict

SHADES = " .:-=+*#%@"
"""Grey levels of a picture, from dark to light."""
BAR = 24
"""Characters of a certain action's bar."""


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print the input as far as it can be shown, the chain, and a panel for each step."""
    console.print(Text(explanation.title, style="bold"))
    parts: list[RenderableType] = []
    if explanation.picture is not None:
        console.print(Text(_drawn(explanation)))
    if explanation.features:
        words = ", ".join(f"{name} {value:.3g}" for name, value in explanation.features)
        console.print(Text(f"largest features: {words}", style="dim"))
    for number, step in enumerate(explanation.steps, start=1):
        parts.append(Panel(_table(step), title=f"step {number}", title_align="left"))
    console.print(Group(*parts))
    chain = Text("chain: ")
    for place, candidate in enumerate(explanation.chain):
        chain.append(" → " if place else "")
        chain.append(f"{candidate.name} {'✓' if candidate.is_true else '✗'}", style=_style(candidate))
    console.print(chain if explanation.chain else Text("chain: no label, STOP came first"))
    console.print(Text(f"true:  {', '.join(explanation.true_labels) or 'none'}"))
    console.print(Text(f"{verdict(explanation)}" + _missed(explanation)))


def _missed(explanation: Explanation) -> str:
    return f" ({', '.join(explanation.missed)})" if explanation.missed else ""


def _table(step: tuple[Candidate, ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for number, candidate in enumerate(step):
        style = _style(candidate) if number == 0 else "dim"
        table.add_row(
            Text("▶" if number == 0 else " ", style=style),
            Text(candidate.name, style=f"{style} italic" if candidate.is_stop else style),
            Text("✓" if candidate.is_true else " ", style="green"),
            Text("█" * max(round(candidate.probability * BAR), 0) or "▏", style=style),
            Text(f"{candidate.probability:.1%}", style=style),
        )
    return table


def _style(candidate: Candidate) -> str:
    return "green" if candidate.is_true else "red"


def _drawn(explanation: Explanation) -> str:
    """A picture in characters, two for a pixel."""
    picture = explanation.picture
    assert picture is not None
    low, high = float(picture.min()), float(picture.max())
    levels = ((picture - low) / (high - low if high > low else 1.0) * (len(SHADES) - 1)).round().astype(int)
    return "\n".join("".join(SHADES[level] * 2 for level in row) for row in levels)
