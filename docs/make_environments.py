"""Write docs/environments.md from the registry and the docstrings: ``python docs/make_environments.py``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from docstring_markdown import as_markdown, without_roles

from labelchain.envs import ENV_IDS, LabelChainEnv, LabelChainVectorEnv
from labelchain.envs.datasets import CATALOGUE
from labelchain.envs.datasets.diagnostics import DIAGNOSTICS

PAGE = Path(__file__).parent / "environments.md"
HEAD = """# Environments

Written by `python docs/make_environments.py`; do not edit.

`labelchain/Chain-v0` takes any data set: `gym.make("labelchain/Chain-v0", dataset=name_or_path)`. "Files"
says where the data come from: built in; fetched by `labelchain datasets get NAME`; or brought by you and
added with `labelchain datasets add NAME FILES...`. Rows are those of the published split; a
tenth of the training rows is held out for validation.

| id | data set | train | test | features | labels | labels per row | files |
|---|---|---|---|---|---|---|---|
"""
FILES = {"built-in": "built in", "mulan": "fetched", "xc": "yours"}


def row(env_id: str, name: str | None) -> str:
    """One line of the table."""
    if name is None:
        return f"| `{env_id}` | any | | | | | | |"
    if name in DIAGNOSTICS:
        data = DIAGNOSTICS[name]()
        train = len(data.rows("train")) + len(data.rows("validation"))
        counts = train, len(data.rows("test")), data.num_features, data.num_labels
        return _line(env_id, name, counts, data.cardinality(), "built in (synthetic)")
    entry = CATALOGUE[name]
    counts = entry.num_train, entry.num_test, entry.num_features, entry.num_labels
    return _line(env_id, name, counts, entry.cardinality, FILES[entry.kind])


def _line(env_id: str, name: str, counts: tuple[int, ...], cardinality: float, files: str) -> str:
    numbers = " | ".join(f"{count:,}" for count in counts)
    return f"| `{env_id}` | `{name}` | {numbers} | {cardinality:.2f} | {files} |"


def page() -> str:
    """The whole page."""
    table = "\n".join(row(env_id, name) for env_id, name in ENV_IDS.items())
    parts = [
        f"## {cls.__name__}\n\n{demoted(inspect.getdoc(cls) or '')}"
        for cls in (LabelChainEnv, LabelChainVectorEnv)
    ]
    return HEAD + table + "\n\n" + "\n\n".join(parts) + "\n"


def demoted(text: str) -> str:
    """A docstring as Markdown, with its headings one level down."""
    return re.sub("^## ", "### ", without_roles(as_markdown(text)), flags=re.M)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
