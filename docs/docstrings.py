"""Docstrings as Markdown: roles become links, examples become blocks of code.

Also an extension of Griffe, which reads the docstrings for the API reference.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|data|attr|mod|exc):`~?([\w.]+)`")


def without_roles(text: str) -> str:
    """Text whose roles are names in code."""
    return ROLE.sub(r"`\1`", text)


def with_fences(text: str) -> str:
    """Text whose examples are fenced."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith(">>> ") and not fenced:
            lines.append("```python")
            fenced = True
        elif fenced and not line:
            lines.append("```")
            fenced = False
        lines.append(line)
    return "\n".join([*lines, "```"] if fenced else lines)


class Docstrings(griffe.Extension):
    """Rewrites every docstring once all of the package is known."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite the docstrings of a package and of all that is in it."""
        self._rewrite(pkg)

    def _rewrite(self, thing: griffe.Object) -> None:
        if thing.docstring is not None:
            text = with_fences(thing.docstring.value)
            thing.docstring.value = ROLE.sub(lambda match: self._link(thing, match[1]), text)
        for member in thing.members.values():
            if isinstance(member, griffe.Object):
                self._rewrite(member)

    def _link(self, thing: griffe.Object, name: str) -> str:
        """A link to what the name means there, or the name alone if it has no page."""
        short = name.removeprefix("labelchain.").rpartition(".")[2]
        target = self._target(thing, name)
        if target is None:
            return f"`{short}`"
        return f"[`{name if not name.startswith('labelchain.') else short}`][{target}]"

    def _target(self, thing: griffe.Object, name: str) -> str | None:
        first, _, rest = name.partition(".")
        try:
            path = name if first == "labelchain" else ".".join(filter(None, [thing.resolve(first), rest]))
            target = thing.modules_collection[path]
            shown = target.has_docstring and not re.search(r"\._[a-z]", target.canonical_path)
        except (KeyError, griffe.GriffeError):
            return None  # of another library
        return target.canonical_path if shown else None
