"""A hook of MkDocs: pages made from what is written elsewhere, and links between them.

The README becomes the home page, each example and each module gets its place, and links to files of the
repository lead to the page that shows them, so that the same text serves here and beside the code.
"""

from __future__ import annotations

import ast
import posixpath
import re
import sys
from pathlib import Path

import site_reference
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

from labelchain.cli.app import app

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files of the repository that are pages as they are, by the page's name."""
LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def page_of(path: str) -> str | None:
    """The page that shows a file or folder of the repository; ``None`` if none does."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path == "examples":
        return "examples.md"
    if re.fullmatch(r"examples/\w+\.py", path):
        return f"examples.md#{Path(path).stem}"
    if path in site_reference.modules():
        return site_reference.page_of(path)
    if path.startswith("docs/"):
        page = path.removeprefix("docs/")
        return f"{page}/index.md" if (ROOT / path).is_dir() else page
    return None


def title_of(page: Path) -> str:
    """The title of a page."""
    return page.read_text(encoding="utf-8").partition("# ")[2].partition("\n")[0]


def linked(markdown: str, source: str, page: str) -> str:
    """Markdown whose links to files of the repository lead to pages.

    Args:
        markdown: The text.
        source: Where it is written, a path in the repository.
        page: The page that it becomes.
    """

    def replaced(match: re.Match[str]) -> str:
        text, link, place = match.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        to = page_of(target) if (ROOT / target).exists() else None
        if to is None:
            return match[0]
        if text == target.removesuffix("/README.md") and target.endswith(
            ".md"
        ):  # on pages, the name of a file says nothing
            text = title_of(ROOT / target)
        return f"[{text}]({posixpath.relpath(to, posixpath.dirname(page) or '.')}{place})"

    return LINK.sub(replaced, markdown)


def examples() -> str:
    """The page of examples: what each is for, and its code."""
    parts = ["# Examples\n\nWhole programs, in the folder `examples`. `--help` of each says what can be set."]
    for path in sorted((ROOT / "examples").glob("*.py")):
        code = path.read_text(encoding="utf-8")
        tree = ast.parse(code)
        summary = ast.get_docstring(tree) or ""
        rest = "\n".join(code.splitlines()[tree.body[0].end_lineno :]).strip()
        heading = f"## {path.name} {{ #{path.stem} }}"
        parts.append(f"{heading}\n\n{summary}\n\n```python\n{rest}\n```")
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """The page of commands: what ``--help`` says of each."""
    command = get_command(app)
    text = get_docs_for_click(obj=command, ctx=Context(command), name="labelchain", title="Commands")
    text = re.sub(r"\[/?dim\]", "", text)  # markup for the terminal
    text = re.sub(r"\* `--help`: .*\n", "", text)
    return re.sub(r"\*\*(Commands\*\*:\n\n(\* .*\n)+|Options\*\*:\n\n(?!\*))\n?", "", text)


def listing(folder: Path) -> str:
    """A page that lists the data files of a folder."""
    files = "\n".join(f"- [{path.name}]({path.name})" for path in sorted(folder.iterdir()))
    return f"# {folder.name}: figures as data\n\n{files}\n"


def reports() -> list[Path]:
    """The folders of results that have a report."""
    return sorted(path.parent for path in (ROOT / "docs" / "results").glob("*/report.md"))


def generated() -> dict[str, str]:
    """All pages that are not files in docs, by name."""
    pages = {
        page: linked((ROOT / source).read_text(encoding="utf-8"), source, page)
        for source, page in ELSEWHERE.items()
    }
    pages["examples.md"] = examples()
    pages["commands.md"] = commands()
    pages["api/index.md"] = site_reference.overview()
    pages |= {
        site_reference.page_of(module): site_reference.reference(module)
        for module in site_reference.modules()
    }
    for folder in (ROOT / "docs" / "results").iterdir():
        if folder.is_dir() and folder not in reports():
            pages[f"results/{folder.name}/index.md"] = listing(folder)
    return pages


@event_priority(100)  # before mkdocstrings reads its own
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the navigation, and show mkdocstrings the packages under their public names."""
    assert config.nav is not None
    sections = {title: pages for section in config.nav for title, pages in section.items()}
    sections["Results"].insert(
        1, {"Reports": [{path.name: f"results/{path.name}/report.md"} for path in reports()]}
    )
    # No page is out of reach because the navigation was forgotten.
    named = str(config.nav)
    sections["Use"] += [
        path.name for path in sorted((ROOT / "docs").glob("*.md")) if f"'{path.name}'" not in named
    ]
    config.nav.append({"API": site_reference.navigation()})
    sys.path.insert(0, str(Path(__file__).parent))  # for griffe_docstrings
    config.plugins["mkdocstrings"].config["handlers"]["python"]["paths"] = [site_reference.search_path()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files in docs."""
    for name, content in generated().items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links of pages in docs to pages."""
    del config, files
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]  # it has no neighbours
    elif page.file.src_uri.startswith("results/"):
        page.meta["hide"] = ["toc"]  # tables are wide
    if page.file.generated_by is not None:
        return markdown
    return linked(markdown, f"docs/{page.file.src_uri}", page.file.src_uri)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links of notebooks, which MkDocs takes as they are, to pages."""
    del config
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def replaced(match: re.Match[str]) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), match[1]))
        target = files.get_file_from_path(name)
        return match[0] if target is None else f'href="{target.url_relative_to(page.file)}"'

    return re.sub(r'href="([^":#]+\.md)"', replaced, html)
