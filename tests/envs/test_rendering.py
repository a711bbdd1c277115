"""Episodes as text and as pictures: every kind of action, and more words than there is room for."""

from dataclasses import replace

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

from labelchain.envs import LabelChainEnv, MultilabelDataset
from labelchain.envs.rendering import PER_LINE, _lines


@pytest.fixture
def data():
    """The first row has all of forty labels with long names, the others none."""
    labels = np.zeros((4, 40), dtype=int)
    labels[0] = 1
    names = [f"label number {i}" for i in range(40)]
    return MultilabelDataset.from_arrays(
        "many",
        np.ones((4, 3)),
        labels,
        train_rows=[0, 1],
        validation_rows=[2],
        test_rows=[3],
        label_names=names,
    )


def test_every_kind_of_action_is_told_apart(data):
    env = LabelChainEnv(data, render_mode="ansi", max_labels=40)
    env.reset(options={"index": 1})  # no label is true
    env.step(3)
    env.step(3)
    env.step(40)
    text = env.render()
    assert text.count("label number 3") == 2
    assert "STOP" in text


@pytest.mark.parametrize("index", [0, 1])
def test_long_chains_and_many_labels_fit_into_the_picture(data, index):
    env = LabelChainEnv(data, render_mode="rgb_array", max_labels=40)
    env.reset(options={"index": index})
    sizes = set()
    for label in range(40):
        env.step(label)
        if label % 13 == 0:
            picture = env.render()
            sizes.add(picture.shape)
            assert picture.dtype == np.uint8
    assert len(sizes) == 1


def test_dollar_signs_are_no_formulas(data):
    names = {"label_names": ("$5_$",) * 40, "feature_names": ("$a_$",) * 3}
    env = LabelChainEnv(replace(data, **names), render_mode="rgb_array")
    env.reset(seed=0)
    env.step(1)
    assert env.render().ndim == 3


def test_words_that_do_not_fit_are_counted():
    words = [(f"word {i}", "black") for i in range(100)]
    lines = _lines(words, most=3)
    assert len(lines) == 3
    assert all(sum(len(word) for word, _ in line) <= PER_LINE for line in lines)
    shown = sum(len(line) for line in lines) - 1
    assert lines[-1][-1][0] == f"+{100 - shown} more"
    assert _lines(words[:2], most=3) == [words[:2]]


def test_without_matplotlib(data, monkeypatch):
    env = LabelChainEnv(data, render_mode="rgb_array")
    env.reset(seed=0)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(DependencyNotInstalled, match=r"pip install 'labelchain\[train\]'"):
        env.render()
