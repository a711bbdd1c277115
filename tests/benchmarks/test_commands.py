"""Each benchmark runs at tiny sizes and writes its figures; how fast anything is, is not tested."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from labelchain.envs import load_dataset

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name",
    ["cells", "data_parallel", "env_steps", "growth", "inference", "sb3", "step_changes", "wiki_scale"],
)
def test_it_runs_and_writes_json(name, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    benchmark = importlib.import_module(f"benchmarks.{name}")
    if name == "growth":  # a process for each size takes seconds; that of wiki_scale is the same
        monkeypatch.setattr(
            benchmark, "measure_apart", importlib.import_module("benchmarks.wiki_scale").measure
        )
    benchmark.main(["--tiny", "--out", str(tmp_path)])
    assert name in capsys.readouterr().out
    written = json.loads((tmp_path / f"{name}.json").read_text())
    assert written["benchmark"] == name
    assert {"machine", "python", "torch"} <= written["machine"].keys()
    if name in ("growth", "wiki_scale"):
        assert {one["learner"] for one in written["results"]} == {"always-random", "chain-pg"}
        assert all(one["peak_gib"] > 0 for one in written["results"])
        assert (tmp_path / f"{name}.png").exists()
    else:
        assert written["comparisons"]
        assert all(one["ratio"] > 0 for one in written["comparisons"])


def test_a_step_runs_all_that_is_replaced_to_measure_a_change(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    changes = importlib.import_module("benchmarks.step_changes")
    replaced = {name: Mock(wraps=was) for name, was in changes.EVERYTHING.patches.items()}
    for change in (changes.EVERYTHING, changes.NOTHING):  # each with its own network
        changes.step(load_dataset("digit-scenes"), 8, replace(change, patches=replaced))()
    assert [name for name, mock in replaced.items() if not mock.called] == []


def test_the_naive_cell_is_the_cell(monkeypatch):
    import torch

    monkeypatch.syspath_prepend(str(ROOT))
    naive = importlib.import_module("benchmarks.naive_gru").NaiveGRU
    from labelchain.agents.chain_network import NetworkConfig
    from labelchain.agents.gru_network import GRUNetwork

    config = NetworkConfig(cell="gru", width=6, embedding=5, hidden=4)
    torch.manual_seed(0)
    ours = GRUNetwork(3, 4, config).eval()
    theirs = naive(3, 4, config).eval()
    theirs.load_state_dict(ours.state_dict())
    chains = torch.tensor([[0, 2, 3], [1, -1, -1]])
    expected, found = (
        network(torch.randn(2, 3, generator=torch.Generator().manual_seed(1)), chains)
        for network in (ours, theirs)
    )
    kept = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one[kept], other[kept])


def test_no_run_is_refused_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT))
    with pytest.raises(SystemExit):
        importlib.import_module("benchmarks.cells").main(["--repeats", "0", "--out", str(tmp_path)])
    assert "--repeats must be at least 1, got 0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
