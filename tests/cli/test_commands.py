"""The commands that made a comparison are all in its report."""

import pytest

from labelchain.agents.runs import RunError
from labelchain.cli.commands import noted


def test_commands_are_noted_in_turn_and_once(tmp_path):
    assert noted(tmp_path, "labelchain compare emotions") == ["labelchain compare emotions"]
    assert noted(tmp_path, "labelchain compare emotions --seeds 2")[1:] == [
        "labelchain compare emotions --seeds 2"
    ]
    assert len(noted(tmp_path, "labelchain compare emotions")) == 2


@pytest.mark.parametrize("content", ["[]", "{}", '{"commands": "a"}', '{"commands": [1]}', '{"comm'])
def test_damaged_notes_are_refused(tmp_path, content):
    (tmp_path / "commands.json").write_text(content)
    with pytest.raises(RunError, match=r"commands\.json"):
        noted(tmp_path, "labelchain compare emotions")
    assert (tmp_path / "commands.json").read_text() == content
