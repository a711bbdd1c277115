"""The commands that made a comparison are all in its report."""

import pytest

from labelchain.agents.runs import RunError
from labelchain.cli.commands import NOT_NOTED, note_commands, noted_commands


def test_commands_are_those_that_were_noted(tmp_path):
    assert noted_commands(tmp_path) == []
    commands = ["labelchain compare emotions", "labelchain compare emotions --seeds 2"]
    note_commands(tmp_path, commands)
    assert noted_commands(tmp_path) == commands


def test_a_comparison_without_notes_has_commands_that_nobody_knows(tmp_path):
    (tmp_path / "results.json").write_text("{}")
    assert noted_commands(tmp_path) == [NOT_NOTED]


@pytest.mark.parametrize("content", ["[]", "{}", '{"commands": "a"}', '{"commands": [1]}', '{"comm'])
def test_damaged_notes_are_refused(tmp_path, content):
    (tmp_path / "commands.json").write_text(content)
    with pytest.raises(RunError, match=r"commands\.json"):
        noted_commands(tmp_path)
    assert (tmp_path / "commands.json").read_text() == content
