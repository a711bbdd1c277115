"""An extension of Griffe, which reads the docstrings for the API reference: docstrings as Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe
from docstring_markdown import ROLE, as_markdown


class Docstrings(griffe.Extension):
    """Rewrites every docstring once all of a package is known; roles become links."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite the docstrings of a package and of all that is in it."""
        self._rewrite(pkg)

    def _rewrite(self, thing: griffe.Object) -> None:
        if thing.docstring is not None:
            text = as_markdown(thing.docstring.value)
            thing.docstring.value = ROLE.sub(lambda match: self._link(thing, match[1]), text)
        for member in thing.members.values():
            if isinstance(member, griffe.Object):
                self._rewrite(member)

    def _link(self, thing: griffe.Object, name: str) -> str:
        """A link to what the name means there, or the name alone if it has no page."""
        target = self._target(thing, name)
        short = name.rpartition(".")[2] if name.startswith("labelchain.") else name
        return f"`{short}`" if target is None else f"[`{short}`][{target}]"

    def _target(self, thing: griffe.Object, name: str) -> str | None:
        first, _, rest = name.partition(".")
        try:
            path = name if first == "labelchain" else ".".join(filter(None, [thing.resolve(first), rest]))
            target = thing.modules_collection[path]
            shown = target.has_docstring and not re.search(r"\._[a-z]", target.canonical_path)
        except (KeyError, griffe.GriffeError):
            return None  # of another library
        return target.canonical_path if shown else None
