"""What the pages of the documentation show runs."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from typer.testing import CliRunner

from labelchain.agents.decoders import DECODINGS
from labelchain.baselines import ChainClassifier
from labelchain.baselines.learners import LEARNERS
from labelchain.cli.app import app
from labelchain.envs.metrics import CHAIN_METRICS, LABEL_SET_METRICS

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), flags=re.M | re.S
    )


@pytest.mark.parametrize(
    ("page", "names"),
    [("learners.md", LEARNERS), ("metrics.md", (*DECODINGS, *LABEL_SET_METRICS, *CHAIN_METRICS))],
)
def test_a_page_has_every_name(page, names):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", ["tutorial.md", "offline.md"])
def test_examples_of_a_page_run(page, tmp_path, monkeypatch):
    if page == "offline.md":
        pytest.importorskip("minari", reason="needs pip install 'labelchain[minari]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    result = doctest.testfile(str(DOCS / page), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


def test_what_is_added_on_the_page_of_extensions_works(tmp_path):
    program = "\n".join(blocks("extending.md", "python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("num_labels", [1, 2, 3])
def test_a_search_can_use_the_scorers_that_the_page_on_scikit_learn_names(num_labels, monkeypatch):
    monkeypatch.setattr(
        "labelchain.baselines.learners.log_final", lambda *_: None
    )  # figures, which take long
    (program,) = [block for block in blocks("scikit-learn.md", "python") if "def average_precision" in block]
    shown = {"GridSearchCV": GridSearchCV, "ChainClassifier": ChainClassifier}
    exec(program, shown)
    X = np.random.default_rng(0).normal(size=(40, 4))
    Y = (X[:, :num_labels] + X[:, 1 : num_labels + 1] / 2 > 0).astype(int)

    def scores(scoring):
        search = clone(shown["search"]).set_params(
            estimator=ChainClassifier("binary-relevance", random_state=0),
            param_grid={"settings": [{}]},
            scoring=scoring,
            cv=2,
            refit=False,
            error_score="raise",
        )
        return search.fit(X, Y).cv_results_["mean_test_score"].item()

    assert 0.7 < scores(shown["search"].scoring) <= 1
    assert all(0.7 < scores(scoring) <= 1 for scoring in ("f1_micro", "f1_macro"))
    if num_labels == 3:
        assert scores("average_precision") == scores(shown["average_precision"])
        assert 0.7 < scores("roc_auc") <= 1
        return
    for scoring in ("average_precision", "roc_auc", *(["f1_samples"] if num_labels == 1 else [])):
        with pytest.raises(ValueError, match=r"pos_label|2D array|two classes|[Ss]amplewise"):
            scores(scoring)


def test_the_commands_of_the_tutorial_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "COLUMNS", "120")
    commands = "".join(blocks("tutorial.md", "sh")).splitlines()
    assert {shlex.split(line)[1] for line in commands} == {
        *("play", "train", "evaluate", "explain", "predict", "compare")
    }
    for line in commands:
        if "scenes.npz" in line:
            from labelchain.envs import load_dataset
            from labelchain.envs.datasets import write_npz

            write_npz(load_dataset("digit-scenes"), "scenes.npz")
        done = CliRunner().invoke(app, shlex.split(line.replace("--epochs 8", "--epochs 1"))[1:])
        assert done.exit_code == 0, done.output
    assert len(Path("answers.csv").read_text().splitlines()) == 6001
    assert "freq2rare" in Path("runs/compare-digit-scenes/report.md").read_text()
