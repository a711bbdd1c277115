"""The page of results says what the results say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_tables_are_those_that_the_command_prints():
    printed = subprocess.run(
        [sys.executable, ROOT / "docs/make_results.py"], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert printed in (ROOT / "docs/results/README.md").read_text()
    composite = printed.split("\n## ")[0].split("\n\n", 1)[1].strip()
    assert composite.replace("](", "](docs/results/") in (ROOT / "README.md").read_text()
