"""The commands that made a comparison: later ones add learners and seeds to what is there."""

from __future__ import annotations

from pathlib import Path

from labelchain.agents.plain_values import shown
from labelchain.agents.runs import RunError, read_json, write_json

NOT_NOTED = "# earlier commands were not noted"


def noted_commands(folder: Path) -> list[str]:
    """The commands that made what a comparison's folder holds, in turn.

    Raises:
        RunError: If ``commands.json`` is damaged.
    """
    path = folder / "commands.json"
    if not path.exists():
        return [NOT_NOTED] if (folder / "results.json").exists() else []
    commands = read_json(path).get("commands")
    if not isinstance(commands, list) or not all(isinstance(each, str) for each in commands):
        raise RunError(f"{path} must hold a list of commands, got {shown(commands)}; remove it")
    return commands


def note_commands(folder: Path, commands: list[str]) -> None:
    """Write them for :func:`noted_commands`."""
    write_json(folder / "commands.json", {"commands": commands})
