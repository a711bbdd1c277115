"""The commands that made a comparison are all in its report."""

import pytest

from labelchain.agents.runs import RunError
from labelchain.baselines.commands import NOT_NOTED, note_command, noted_commands


def test_commands_are_those_that_were_noted(tmp_path):
    assert noted_commands(tmp_path) == []
    first, second = "labelchain compare emotions", "labelchain compare emotions --seeds 2"
    note_command(tmp_path, first, adds=False)
    note_command(tmp_path, second, adds=True)
    note_command(tmp_path, first, adds=True)  # is there already
    note_command(tmp_path, "labelchain compare emotions --learners popularity", adds=False)
    assert noted_commands(tmp_path) == [first, second]


def test_a_comparison_without_notes_has_commands_that_nobody_knows(tmp_path):
    (tmp_path / "results.json").write_text("{}")
    assert noted_commands(tmp_path) == [NOT_NOTED]


@pytest.mark.parametrize("content", ["[]", "{}", '{"commands": "a"}', '{"commands": [1]}', '{"comm'])
def test_damaged_notes_are_refused(tmp_path, content):
    (tmp_path / "commands.json").write_text(content)
    with pytest.raises(RunError, match=r"commands\.json"):
        noted_commands(tmp_path)
    assert (tmp_path / "commands.json").read_text() == content
