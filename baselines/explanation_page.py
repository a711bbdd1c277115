"""An explanation as one HTML file that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelchain.baselines.explanation import Candidate, Explanation, verdict
from labelchain.envs.files import written_beside

STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --faint: #66727f; --paper: #fff; --other: #c3cad1;
  --right: #2a7d4f; --wrong: #b8442e; --line: #e3e7eb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --faint: #98a4b0; --paper: #14191f;
  --other: #47525e; --right: #4fb37f; --wrong: #e0745f; --line: #2b343d; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; } h2 { font-size: .95rem; margin: 0 0 .5rem; }
p { margin: .25rem 0; } .faint { color: var(--faint); }
.chain span { display: inline-block; padding: .1rem .55rem; margin: .15rem .1rem; border-radius: 1rem;
  border: 1.5px solid var(--wrong); } .chain span.right { border-color: var(--right); }
.steps { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem;
  margin: 1.25rem 0; }
section { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; overflow-wrap: anywhere; }
.row { display: grid; grid-template-columns: minmax(0, 10rem) 1fr 3rem; gap: .5rem; align-items: center;
  font-size: .85rem; } .row b, .row i { font-weight: 600; } .row:not(.taken) b { font-weight: 400; }
.bar { height: .8rem; border-radius: .2rem; background: var(--other); min-width: 2px; }
.taken .bar { background: var(--wrong); } .taken.right .bar { background: var(--right); }
.row span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
img { image-rendering: pixelated; width: 10rem; margin-top: .75rem; border: 1px solid var(--line); }
"""


def save_page(explanation: Explanation, path: Path) -> None:
    """Write an HTML file, beside and renamed."""
    with written_beside(path) as temporary:
        temporary.write_text(page(explanation), encoding="utf-8")


def page(explanation: Explanation) -> str:
    """The whole file; every name from the data is escaped."""
    title = escape(explanation.title)
    chain = " → ".join(
        f'<span class="{_class(candidate)}">{escape(candidate.name)} {_mark(candidate)}</span>'
        for candidate in explanation.chain
    )
    steps = "\n".join(
        f"<section><h2>Step {number}</h2>\n{_rows(step)}</section>"
        for number, step in enumerate(explanation.steps, start=1)
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p class="faint">{verdict(explanation)}</p>
<p class="chain">{chain or "no label: STOP came first"}</p>
<p class="faint">True labels: {_names(explanation.true_labels)}. Missed: {_names(explanation.missed)}.</p>
{_input(explanation)}
<div class="steps">
{steps}
</div>
<p class="faint">A panel shows the most probable actions of a step, given the input and the labels before it.
The first was taken: green if right, red if not; ✓ marks true labels, and STOP once none is missing.</p>
</body></html>
"""


def _rows(step: tuple[Candidate, ...]) -> str:
    return "".join(
        f'<div class="row{" taken " + _class(candidate) if number == 0 else ""}">'
        f"<b>{escape(candidate.name)}{' ✓' if candidate.is_true else ''}</b>"
        f'<span><div class="bar" style="width:{candidate.probability:.1%}"></div></span>'
        f"<span>{candidate.probability:.1%}</span></div>\n"
        for number, candidate in enumerate(step)
    )


def _input(explanation: Explanation) -> str:
    parts = []
    if explanation.picture is not None:
        data = base64.b64encode(_png(explanation.picture)).decode()
        parts.append(f'<img alt="the input" src="data:image/png;base64,{data}">')
    if explanation.features:
        words = ", ".join(f"{escape(name)} {value:.3g}" for name, value in explanation.features)
        parts.append(f'<p class="faint">Largest features: {words}.</p>')
    return "\n".join(parts)


def _png(picture: NDArray[np.float32]) -> bytes:
    from PIL import Image  # comes with matplotlib

    low, high = float(picture.min()), float(picture.max())
    scaled = (picture - low) / (high - low if high > low else 1.0) * 255
    file = io.BytesIO()
    Image.fromarray(scaled.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _class(candidate: Candidate) -> str:
    return "right" if candidate.is_true else "wrong"


def _mark(candidate: Candidate) -> str:
    return "✓" if candidate.is_true else "✗"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(escape, names)) or "none"
