"""Docstrings as Markdown: roles become links, examples become blocks of code."""

from __future__ import annotations

import re

ROLE = re.compile(r":(?:class|func|meth|data|attr|mod|exc):`~?([\w.]+)`")
ITEM = re.compile(r"(- |\d+\. )")


def without_roles(text: str) -> str:
    """Text whose roles are names in code."""
    return ROLE.sub(r"`\1`", text)


def as_markdown(text: str) -> str:
    """Text whose examples are fenced, and whose lists have an empty line before them."""
    lines: list[str] = []
    in_code = in_list = False
    for line in text.splitlines():
        starts_item = ITEM.match(line) is not None
        if line.startswith(">>> ") and not in_code:
            lines.append("```python")
            in_code = True
        elif in_code and not line:
            lines.append("```")
            in_code = False
        elif starts_item and not in_list and lines and lines[-1]:
            lines.append("")
        in_list = starts_item or (in_list and line.startswith("  "))
        lines.append(line)
    return "\n".join([*lines, "```"] if in_code else lines)
