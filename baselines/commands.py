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


def note_command(folder: Path, command: str, adds: bool) -> None:
    """Add a command to those of a folder, before there are results of it: it may be killed in between.

    Args:
        folder: That of the comparison.
        command: As it was typed.
        adds: Whether it asks for more than the folder has; if not, only a first command is noted.

    Raises:
        RunError: If ``commands.json`` is damaged.
    """
    commands = noted_commands(folder)
    if not commands or (adds and command not in commands):
        commands.append(command)
    write_json(folder / "commands.json", {"commands": commands})
