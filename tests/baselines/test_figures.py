"""Figures of comparisons: what is drawn where, and that learners look the same everywhere."""

import numpy as np
import pytest

from labelchain.baselines import decision_figures, figures
from labelchain.baselines.decision_figures import REFERENCE, write_orders, write_positions
from labelchain.baselines.decision_order import PairOrders
from labelchain.baselines.figure_style import (
    COMPOSITE_GROUP,
    GROUPS,
    LINEAR_GROUP,
    ORDERS_GROUP,
    OWN_GROUP,
    SB3_GROUP,
    colour_of,
    group_of,
    marker_of,
    new_figure,
)
from labelchain.baselines.figures import limit, write_figure, write_gains, write_times
from labelchain.baselines.learners import LEARNERS
from labelchain.baselines.results import CHALLENGERS, METRICS, gains, summary

CHECKED = ("popularity", "always-random", "chain-pg", "chain-q", "composite", "ten-composite")


def run(value):
    return {name: float(value) for name in METRICS}


def results_of(*runs):
    """A comparison of :data:`CHECKED`, with these runs of each."""
    learners = {
        name: summary([run(40 + place + value) for value in runs]) for place, name in enumerate(CHECKED)
    }
    return {"name": "$data$", "learners": learners, "gains": gains(learners, {})}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are written, in turn."""
    found = []
    for module in (figures, decision_figures):
        monkeypatch.setattr(module, "save", lambda figure, _: found.append(figure))
    return found


def looks(lines):
    return {line.get_label(): (line.get_color(), line.get_marker()) for line in lines}


def names_in_legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_learner_has_a_look_of_its_own_and_the_colour_of_its_kind():
    looks = {name: (colour_of(name), marker_of(name)) for name in LEARNERS}
    assert len({*looks.values()}) == len(LEARNERS)
    shapes = [marker_of(name) for name in LEARNERS if name in CHALLENGERS]
    assert len({*shapes}) == len(shapes)
    kinds = {
        LINEAR_GROUP: ("popularity", "binary-relevance", "ensemble-of-chains"),
        ORDERS_GROUP: ("freq2rare", "always-random", "two-always-random", "ten-always-random"),
        OWN_GROUP: ("target-reordering", "order-free", "chain-pg", "three-chain-q", "ten-chain-pg"),
        COMPOSITE_GROUP: ("composite", "composite-joint", "ten-composite"),
        SB3_GROUP: ("ppo", "recurrent-ppo", "maskable-ppo"),
    }
    assert {group: {group_of(name) for name in names} for group, names in kinds.items()} == {
        group: {group} for group in GROUPS
    }


def test_colours_are_told_and_only_several_seeds_have_intervals(drawn, tmp_path):
    write_figure(results_of(0, 1), tmp_path)
    write_figure(results_of(0), tmp_path)
    several, one = drawn
    assert "one dot per seed, mean and 95 % interval" in several.get_suptitle()
    assert "interval" not in one.get_suptitle()
    assert names_in_legend(one) == [LINEAR_GROUP, ORDERS_GROUP, OWN_GROUP, COMPOSITE_GROUP]
    markers = {line.get_marker() for line in one.axes[0].lines}
    assert "|" not in markers
    assert "|" in {line.get_marker() for line in several.axes[0].lines}


def test_sets_of_labels_have_an_axis_of_their_own_and_learners_look_as_elsewhere(drawn, tmp_path):
    results = results_of(0, 1)
    write_gains(results, tmp_path)
    write_times(results, {name: [1.0 + place] for place, name in enumerate(CHECKED)}, tmp_path)
    gained, times = drawn
    rankings, label_sets = gained.axes
    assert [text.get_text() for text in label_sets.get_xticklabels()] == ["F1", "subset"]
    assert len(rankings.get_xticks()) == 5
    assert rankings.get_legend() is None
    assert names_in_legend(gained) == list(results["gains"])
    points = looks(times.axes[0].lines)
    assert points == {name: (colour_of(name), marker_of(name)) for name in CHECKED[1:]}
    bars = {bar.get_label(): bar.lines[0] for bar in rankings.containers}
    assert {name: (line.get_color(), line.get_marker()) for name, line in bars.items()} == {
        name: points[name] for name in results["gains"]
    }


def test_axes_span_the_dots_whatever_two_seeds_have_for_intervals():
    axes = new_figure(2, 2).subplots()
    entries = {
        "popularity": summary([run(10)])["P@1"],
        "chain-pg": summary([run(60), run(64)])["P@1"],  # an interval of 62 plus or minus 25
        "composite": summary([run(62), run(62.1), run(61.9)])["P@1"],
    }
    limit(axes, entries)
    low, high = axes.get_xlim()
    assert 57 < low < 60
    assert 64 < high < 67
    assert [text.get_text() for text in axes.texts] == ["◂ 10.0"]
    limit(axes, {"popularity": entries["popularity"]})
    assert axes.get_xlim()[0] < 10 < axes.get_xlim()[1]


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.1], [100.0], [99.9, 100.0], [0.0, 100.0], [50.0]])
def test_axes_show_no_scores_that_there_are_not(values):
    axes = new_figure(3, 2).subplots()
    limit(axes, {"chain-q": summary([run(value) for value in values])["P@1"]})
    low, high = axes.get_xlim()
    assert low < min(values) <= max(values) < high
    assert high - low >= 1
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert len(shown) > 1
    assert all(0 <= tick <= 100 for tick in shown)


def test_positions_share_their_axes_and_have_ticks_on_each(drawn, tmp_path):
    frequencies = np.array([30.0, 60.0, 700.0, 0.0])
    positions = {
        name: (np.array([1.0, 2.0, reach, np.nan]), np.array([0.1, 0.5, 1.0, np.nan]))
        for name, reach in (("freq2rare", 6.0), (REFERENCE, 3.0))
    }
    write_positions(positions, frequencies, tmp_path)
    (figure,) = drawn
    limits = {axes.get_ylim() for axes in figure.axes}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low > 6 > 1 > high  # the first is on top
    above, below = figure.axes[0], figure.axes[2]
    shown = [tick for tick in above.get_xticks() if above.get_xlim()[0] <= tick <= above.get_xlim()[1]]
    assert shown == pytest.approx([50, 100, 200, 500])
    assert below.lines[0].get_xdata().tolist() == [10, 50, 100]


def test_errors_are_compared_with_random_orders_where_those_are_there(drawn, tmp_path):
    wrong = {"rare2freq": [20.0, 40.0], REFERENCE: [10.0, 50.0], "composite": [5.0, 45.0]}
    results = {"decisions": {name: {"error_at_rank": errors} for name, errors in wrong.items()}}
    pairs = dict.fromkeys(wrong, PairOrders(np.array([10, 30]), np.array([1.0, 0.5])))
    write_orders(results, pairs, tmp_path)
    write_orders(results, {"composite": pairs["composite"]}, tmp_path)
    together, alone = (figure.axes for figure in drawn)
    differences = {line.get_label(): line.get_ydata().tolist() for line in together[0].lines}
    assert differences == {"rare2freq": [10, -10], REFERENCE: [0, 0], "composite": [-5, -5]}
    assert REFERENCE in together[0].get_ylabel()
    assert alone[0].lines[0].get_ydata().tolist() == [5, 45]
    assert alone[0].get_ylabel() == "wrong, per cent"
    share = together[1].lines[0]
    assert (share.get_xdata().tolist(), share.get_ydata().tolist()) == ([50, 100], [75, 100])
