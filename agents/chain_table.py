"""Decoded chains as text: a Markdown table of a few inputs, for TensorBoard's Text tab."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from labelchain.envs.metrics import lookup

HEADINGS = ("test row", "chain", "missed", "true labels")


def chain_table(
    numbers: NDArray[np.int64], labels: sparse.csr_array, chains: NDArray[np.int64], names: Sequence[str]
) -> str:
    """A Markdown table: one input a line, right labels bold with a tick, wrong ones with a cross.

    Args:
        numbers: ``(n,)`` what each input is called.
        labels: ``(n, num_labels)`` CSR, the truth.
        chains: ``(n, length)`` predicted labels in their order, padded with -1.
        names: ``num_labels`` names.
    """
    escaped = [_escaped(name) for name in names]
    right = lookup(labels, chains)
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    for row, number in enumerate(numbers.tolist()):
        true = labels.indices[labels.indptr[row] : labels.indptr[row + 1]].tolist()
        chain = chains[row][chains[row] >= 0].tolist()
        steps = [
            f"**{escaped[label]}** ✓" if hit else f"{escaped[label]} ✗"
            for label, hit in zip(chain, right[row], strict=False)
        ]
        missed = [escaped[label] for label in true if label not in chain]
        cells = (str(number), " → ".join(steps), ", ".join(missed), ", ".join(escaped[t] for t in true))
        lines.append(f"| {' | '.join(cell or '-' for cell in cells)} |")
    return "\n".join(lines)


def _escaped(name: str) -> str:
    """A name that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(name.split()))
