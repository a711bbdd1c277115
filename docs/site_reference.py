"""The API reference of the site: a page for each module, and what leads to them."""

from __future__ import annotations

import ast
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FLOORS = ("envs", "agents", "baselines", "cli")

_public = tempfile.TemporaryDirectory()  # removed at exit


def search_path() -> str:
    """A folder with the package ``labelchain`` as it is here, whatever is installed."""
    names = Path(_public.name) / "labelchain"
    if not names.exists():
        names.mkdir()
        for floor in FLOORS:
            (names / floor).symlink_to(ROOT / floor)
    return _public.name


@cache
def modules() -> list[str]:
    """The path of every public module in the repository, packages first, as ``envs/rewards.py``."""
    found = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")]
    public = [path for path in found if path.stem == "__init__" or not path.stem.startswith("_")]
    return sorted((path.relative_to(ROOT).as_posix() for path in public), key=_package_first)


def _package_first(module: str) -> list[tuple[int, str]]:
    *folders, name = module.split("/")
    floor = FLOORS.index(folders[0])
    return [(floor, ""), *((1, folder) for folder in folders[1:]), (0 if name == "__init__.py" else 1, name)]


def page_of(module: str) -> str:
    """The page of a module."""
    return f"api/{module.removesuffix('.py').replace('__init__', 'index')}.md"


def _name(module: str) -> str:
    return "labelchain." + module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _items(listed: list[str], folder: str) -> str:
    """A list of modules, each with the first line of its docstring, on a page in ``api/`` + ``folder``."""
    lines = []
    for module in listed:
        tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
        summary = (ast.get_docstring(tree) or "").split("\n")[0]
        lines.append(f"- [`{_name(module)}`]({page_of(module).removeprefix('api/' + folder)}): {summary}")
    return "\n".join(lines) + "\n"


def _within(package: str) -> list[str]:
    """The modules in a package, those in its packages too."""
    return [
        module
        for module in modules()
        if module.startswith(f"{package}/") and module != f"{package}/__init__.py"
    ]


def overview() -> str:
    """The first page: every module."""
    parts = ["# API reference\n\nFour floors, each a package; imports run down only.\n"]
    for floor in FLOORS:
        parts.append(f"## labelchain.{floor}\n\n{_items([f'{floor}/__init__.py', *_within(floor)], '')}")
    return "\n".join(parts)


def reference(module: str) -> str:
    """The page of a module; of a package, with the modules in it."""
    name = _name(module)
    options = "heading_level: 1, show_root_heading: true, show_root_full_path: true"
    text = f"---\ntitle: {name}\n---\n\n::: {name}\n    options: {{{options}}}\n"
    package = module.removesuffix("/__init__.py")
    return text if package == module else f"{text}\n## Modules\n\n{_items(_within(package), f'{package}/')}"


def navigation() -> list[Any]:
    """A section for each package, in it a page for each module."""
    sections: dict[str, list[Any]] = {}
    for module in modules():
        folder, _, name = module.rpartition("/")
        page = page_of(module)
        sections.setdefault(folder, []).append(
            page if name == "__init__.py" else {name.removesuffix(".py"): page}
        )
    for folder in sorted(sections, key=lambda name: -name.count("/")):
        parent, _, name = folder.rpartition("/")
        if parent:
            sections[parent].append({name: sections.pop(folder)})
    return ["api/index.md", *({folder: pages} for folder, pages in sections.items())]
