"""Settings: what is out of range is refused with its name, what was expected and what came."""

import numpy as np
import pytest
from scipy import sparse

from labelchain.agents.settings import Settings, named_values, settings_for
from labelchain.envs import MultilabelDataset


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": "lstm"}, "cell must be 'sum' or 'gru', got 'lstm'"),
        ({"width": 0}, "width must be from 1 to 65536, got 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"epochs": 0}, "epochs must be from 1 to 2147483647, got 0"),
        ({"max_labels": 10**10}, "max_labels must be from 1 to 2147483647"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite, got 0.0"),
        ({"clip": float("inf")}, "clip must be finite, got inf"),
        ({"estimator": "best"}, "estimator must be 'all-actions' or 'sampled', got 'best'"),
        ({"baseline": "none"}, "baseline must be 'value' or 'self-critical', got 'none'"),
        ({"precision": "float16"}, "precision must be 'float32' or 'bfloat16', got 'float16'"),
        ({"stop": "late"}, "stop must be 'validated' or 'learned', got 'late'"),
        ({"mixing": "half"}, "mixing must be 'validated' or 'equal', got 'half'"),
        ({"warmup": 1.5}, r"warmup must be in \[0, 1\], got 1.5"),
        ({"discount": float("nan")}, r"discount must be finite, got nan"),
        ({"power": 0.0}, r"power must be in \(0, 1\], got 0.0"),
        ({"entropy": -0.1}, "entropy must be finite and at least 0, got -0.1"),
        ({"label_set_metric": "hamming_loss"}, "label_set_metric must be one of .*, got 'hamming_loss'"),
        ({"reward": "jaccard"}, "unknown reward 'jaccard'"),
        ({"sb3_reward": "jaccard"}, "unknown reward 'jaccard'"),
        ({"reward": "subset"}, "reward 'subset' is paid at the end of a chain"),
        ({"reward": "subset", "estimator": "sampled"}, "which no label before it sees with discount 0"),
        ({"depth": 3}, "unknown setting 'depth': expected one of cell, width"),
        ({"width": "many"}, "setting width must be of type int, got 'many'"),
        ({"clip": "x"}, "setting clip must be of type float, got 'x'"),
    ],
)
def test_what_is_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings().with_changes(changes)


def test_texts_become_values_of_their_type():
    changes = {"width": "8", "dropout": "0.25", "cell": "gru", "max_labels": "none", "sb3_steps": "100"}
    found = Settings(max_labels=3).with_changes(changes)
    assert (found.width, found.dropout, found.cell) == (8, 0.25, "gru")
    assert (found.max_labels, found.sb3_steps) == (None, 100)


def test_numbers_of_numpy_become_plain_ones_and_other_types_are_refused():
    found = Settings().with_changes({"width": np.int64(8), "dropout": np.linspace(0, 0.5, 3)[1]})
    assert (type(found.width), type(found.dropout)) == (int, float)
    assert (found.width, found.dropout) == (8, 0.25)
    for value in (1.5, True, [1], np.ones(1)):
        with pytest.raises(ValueError, match="epochs must be of type int, got"):
            Settings().with_changes({"epochs": value})


def test_command_lines_name_what_they_change():
    assert named_values(["cell=gru", " width = 8", "cell=sum", "a=b=c"]) == {
        "cell": "sum",
        "width": "8",
        "a": "b=c",
    }
    with pytest.raises(ValueError, match="--set takes NAME=VALUE, got 'width'"):
        named_values(["width"])


def test_presets(dataset, make_dataset):
    assert settings_for(dataset) == Settings(epochs=settings_for(dataset).epochs)
    assert settings_for(make_dataset(sparse=True)).width == 512
    paper = settings_for(dataset, "nam2019")
    assert (paper.cell, paper.width, paper.estimator) == ("gru", 2048, "sampled")
    with pytest.raises(ValueError, match="unknown preset 'slow': expected one of fast, nam2019"):
        settings_for(dataset, "slow")


@pytest.mark.parametrize(
    ("num_rows", "epochs", "on_words"),
    [(1, 350, 110), (128, 350, 110), (129, 175, 55), (1_024, 44, 20), (5_000, 40, 20)],
)
def test_few_rows_are_passed_over_more_often(num_rows, epochs, on_words):
    features, labels = np.zeros((num_rows + 2, 1)), np.ones((num_rows + 2, 1), dtype=np.int8)
    splits = {"train_rows": np.arange(num_rows), "test_rows": [num_rows], "validation_rows": [num_rows + 1]}
    dataset = MultilabelDataset.from_arrays("few", features, labels, **splits)
    assert settings_for(dataset) == Settings(epochs=epochs)
    words = MultilabelDataset.from_arrays("few", sparse.csr_array(features), labels, **splits)
    assert settings_for(words).epochs == on_words
