"""Explanations: the predicted chain, what is right about it, and pages that hold no foreign code."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from labelchain.agents.checkpoints import load_chain_model
from labelchain.agents.order_free import OrderFreeObjective
from labelchain.agents.runs import RunError
from labelchain.agents.training import Phase, train
from labelchain.baselines.explanation import Candidate, Explanation, explain, verdict
from labelchain.baselines.explanation_figure import save_figure
from labelchain.baselines.explanation_page import page, save_page
from labelchain.baselines.learners import fit, learner_named
from labelchain.envs import DatasetError

EVIL = "<script>alert('$x_{1}$')</script> & \"co\""


@pytest.fixture
def model(make_run, dataset):
    run = make_run("always-random", epochs=12)
    train(run, dataset, [Phase("test", OrderFreeObjective(), 12, 0.01)], lambda *_: None)
    return load_chain_model(run.directory / "model.pt", dataset)


def test_the_chain_is_the_predicted_one_and_marks_are_the_truth(model, dataset):
    names = dataset.label_names
    for index, row in enumerate(dataset.rows("test")):
        found = explain(model, dataset, "test", index, 3, "order-free")
        chain = model.predict(dataset.dense_features(np.array([row]))).chains[0]
        assert [c.name for c in found.chain] == [names[label] for label in chain if label >= 0]
        true = {names[label] for label in np.flatnonzero(dataset.dense_labels(np.array([row]))[0])}
        assert set(found.true_labels) == true
        assert set(found.missed) == true - {c.name for c in found.chain}
        emitted = set()
        for step in found.steps:
            assert 1 <= len(step) <= 3
            assert step[0].probability == max(c.probability for c in step)
            for candidate in step:
                assert candidate.name not in emitted
                missing = true - emitted
                assert candidate.is_true == (not missing if candidate.is_stop else candidate.name in true)
            emitted.add(step[0].name)
        right = sum(c.name in true for c in found.chain)
        assert verdict(found).startswith(f"{right} right, {len(found.chain) - right} wrong")


def test_what_cannot_be_explained_is_one_clear_error(model, make_run, dataset):
    for split, index, message in (("tst", 0, "unknown split 'tst'"), ("test", 20, "it has rows 0 to 19")):
        with pytest.raises(DatasetError, match=message):
            explain(model, dataset, split, index, 3, "x")
    run = make_run("popularity")
    fit(run, dataset, lambda *_: None)
    with pytest.raises(RunError, match="popularity has no chains to explain"):
        explain(learner_named("popularity").load(run, dataset), dataset, "test", 0, 3, "popularity")


def made(steps=3, name="sky", **changes):
    taken = (Candidate(name, 0.6, False, True), Candidate("sea", 0.3, False, False))
    last = (Candidate("STOP", 0.9, True, False), Candidate("sea", 0.05, False, True))
    return (
        Explanation(
            f"always-random on {name}, test row 3",
            (taken,) * steps + (last,),
            ("sea",),
            ("sea", name),
            None,
            (),
        )
        if not changes
        else replace(made(steps, name), **changes)
    )


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_a_page_needs_nothing_else_and_names_stay_text(tmp_path):
    picture = np.arange(12, dtype=np.float32).reshape(3, 4)
    explanation = made(name=EVIL, picture=picture, features=((EVIL, 1.5),))
    save_page(explanation, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text == page(explanation)
    tags = Tags(text)
    assert not {tag for tag, _ in tags.found} & {"script", "link", "iframe", "object"}
    for tag, attributes in tags.found:
        assert not any(name.startswith("on") for name in attributes)
        assert "href" not in attributes
        if tag == "img":
            assert attributes["src"].startswith("data:image/png;base64,")
    assert "url(" not in text and "@import" not in text
    assert tags.text.count(EVIL) >= 5
    assert "60.0%" in text


@pytest.mark.parametrize("steps", [0, 1, 3, 20])
@pytest.mark.parametrize("picture", [None, np.eye(4, dtype=np.float32)])
def test_figures_of_any_length(tmp_path, steps, picture):
    path = tmp_path / "figure.png"
    save_figure(made(steps, EVIL, picture=picture), path)
    with Image.open(path) as image:
        assert image.width > 300
        assert np.asarray(image).std() > 5


@pytest.mark.parametrize(
    ("panels", "picture", "width", "tall"),
    [
        (3, False, 3, False),
        (4, False, 4, False),
        (5, False, 3, True),
        (3, True, 4, False),
        (4, True, 3, True),  # the picture beside two rows of two
        (5, True, 3, True),  # the picture is one of six
    ],
)
def test_panels_fill_the_figure(tmp_path, panels, picture, width, tall):
    path = tmp_path / "figure.png"
    save_figure(made(panels - 1, picture=np.eye(4, dtype=np.float32) if picture else None), path)
    with Image.open(path) as image:
        assert image.width == width * 372
        assert (image.height > 400) == tall
