"""The commands that made a comparison: later ones add learners and seeds to what is there."""

from __future__ import annotations

from pathlib import Path

from labelchain.agents.plain_values import shown
from labelchain.agents.runs import RunError, read_json, write_json


def noted(folder: Path, command: str) -> list[str]:
    """Note the command that finished in a folder; return all that did, in turn, each once.

    Raises:
        RunError: If ``commands.json`` is damaged.
    """
    path = folder / "commands.json"
    before = read_json(path).get("commands") if path.exists() else []
    if not isinstance(before, list) or not all(isinstance(each, str) for each in before):
        raise RunError(f"{path} must hold a list of commands, got {shown(before)}; remove it")
    commands = list(dict.fromkeys([*before, command]))
    write_json(path, {"commands": commands})
    return commands
