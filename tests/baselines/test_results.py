"""What a comparison finds: intervals, p-values, and gains over the right opponent."""

import csv

import numpy as np
import pytest
from scipy import stats

from labelchain.baselines.learners import FOUR_ORDERS
from labelchain.baselines.results import METRICS, best_orders, gain_cells, gains, summary, write_csv
from labelchain.baselines.significance import paired_bootstrap, seed_interval, seed_p_value


def run(value, **others):
    return {name: float(value) for name in METRICS} | others


def gains_of(runs, rows=None):
    return gains({name: summary(each) for name, each in runs.items()}, rows or {})


def test_the_gain_is_over_whichever_order_is_best_on_average_for_each_metric():
    found = gains_of(
        {
            "freq2rare": [run(40, **{"P@1": 60.0, "hamming_loss": 8.0}), run(44, hamming_loss=8.0)],
            "always-random": [run(50, hamming_loss=10.0)] * 2,
            "target-reordering": [run(90)] * 2,
            "composite": [run(54, hamming_loss=6.0), run(56, hamming_loss=6.0)],
        }
    )["composite"]["best order"]
    assert found["P@1"] == {
        "opponent": "freq2rare",
        "value": 55.0,
        "opponent_value": 52.0,
        "absolute": 3.0,
        "relative": pytest.approx(100 * 3 / 52),
        "interval": None,
        "p_value": None,
        "seed_p_value": pytest.approx(stats.ttest_ind([54, 56], [60, 44], equal_var=False).pvalue),
    }
    assert found["P@3"]["opponent"] == "always-random"
    hamming = found["hamming_loss"]
    assert (hamming["opponent"], hamming["absolute"], hamming["relative"]) == ("freq2rare", 2.0, 25.0)


def test_a_gain_where_nothing_is_right_and_where_orders_tie():
    found = gains_of(
        {
            "freq2rare": [run(0, **{"P@3": 10.0})],
            "rare2freq": [run(0, **{"P@3": 10.0})],
            "composite": [run(5)],
        }
    )["composite"]["best order"]
    assert found["P@1"]["relative"] is None
    assert (found["P@3"]["opponent"], found["P@3"]["relative"]) == ("freq2rare", -50.0)  # the first of two


def test_without_an_opponent_there_is_no_gain():
    assert gains_of({"freq2rare": [run(1)]}) == {}
    assert gains_of({"composite": [run(1)]}) == {}
    found = gains_of({"composite": [run(2)], "binary-relevance": [run(1)], "ensemble-of-chains": [run(3)]})
    assert list(found["composite"]) == ["best linear model"]
    assert found["composite"]["best linear model"]["P@1"]["opponent"] == "ensemble-of-chains"
    assert found["composite"]["best linear model"]["hamming_loss"]["opponent"] == "binary-relevance"
    found = gains_of({"chain-pg": [run(2)], "composite": [run(3)], "two-always-random": [run(1)]})
    assert {name: list(opponents) for name, opponents in found.items()} == {
        "composite": ["two-always-random"],
        "chain-pg": ["two-always-random"],
    }


def test_ten_networks_are_measured_against_ten_in_random_orders():
    names = ("two-always-random", "ten-always-random", "ten-chain-pg", "ten-composite", "always-random")
    found = gains_of({name: [run(value)] for value, name in enumerate(names, start=1)})
    assert list(found) == ["ten-composite", "ten-chain-pg"]
    for name, gained in (("ten-chain-pg", 1.0), ("ten-composite", 2.0)):
        assert list(found[name]) == ["best order", "ten-always-random"]
        assert found[name]["ten-always-random"]["P@1"]["absolute"] == gained


def test_the_best_order_is_of_four_only_if_four_are_compared():
    assert best_orders({"learners": dict.fromkeys([*FOUR_ORDERS, "composite"])}) == "best of the four orders"
    assert best_orders({"learners": dict.fromkeys(FOUR_ORDERS[1:])}) == "best order compared"


def test_the_interval_over_seeds_is_student_s():
    values = [61.0, 62.5, 60.2, 63.1]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert seed_interval(values) == pytest.approx((expected.low, expected.high))
    assert seed_interval([1.0]) is None
    assert summary([run(v) for v in values])["P@1"]["interval"] == pytest.approx(list(expected))


def test_a_difference_between_seeds_is_welch_s():
    ours, theirs = [61.0, 62.5, 60.2], [58.0, 59.0]
    expected = stats.ttest_ind(ours, theirs, equal_var=False).pvalue
    assert seed_p_value(ours, theirs) == pytest.approx(expected)
    assert seed_p_value(ours, [58.0]) is None
    assert seed_p_value([3.0, 3.0], [3.0, 3.0]) == 1.0
    assert seed_p_value([3.0, 3.0], [4.0, 4.0]) == 0.0


def test_a_gain_is_shown_with_its_sign_and_a_dash_for_what_is_unknown():
    known = {"absolute": 0.5, "interval": [-0.25, 1.25], "relative": 1.04, "p_value": 0.01234}
    expected = ["+0.50", "-0.25 to +1.25", "+1.0 %", "0.0123", "<0.0001"]
    assert gain_cells(known | {"seed_p_value": 1e-9}) == expected
    unknown = dict.fromkeys(("interval", "relative", "p_value"))
    assert gain_cells({"absolute": -0.5, "seed_p_value": 0.5} | unknown) == ["-0.50", "-", "-", "-", "0.5000"]


def test_the_bootstrap_agrees_with_scipy_and_with_a_test_of_the_mean():
    rng = np.random.default_rng(1)
    differences = np.stack([rng.normal(m, 1, 400) for m in (0.0, 0.12, 0.5)], axis=1)
    intervals, p_values = paired_bootstrap(differences)
    for column, interval, p_value in zip(differences.T, intervals, p_values, strict=True):
        reference = stats.bootstrap((column,), np.mean, method="percentile", rng=0).confidence_interval
        np.testing.assert_allclose(interval, reference, atol=0.01)
        assert p_value == pytest.approx(stats.ttest_1samp(column, 0).pvalue, abs=0.03)
    assert p_values[2] == pytest.approx(2 / 10_001)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(paired_bootstrap(differences), (intervals, p_values), strict=True)
    )


def test_equal_rows_are_no_difference():
    intervals, p_values = paired_bootstrap(np.zeros((50, 1)))
    assert (intervals == 0).all()
    assert p_values.tolist() == [1.0]


def test_gains_have_intervals_where_there_are_scores_per_row():
    rng = np.random.default_rng(0)
    orders = {"P@1": 100.0 * (rng.random(300) < 0.5), "hamming_loss": np.full(300, 5.0)}
    better = {
        "P@1": np.maximum(orders["P@1"], 100.0 * (rng.random(300) < 0.2)),
        "hamming_loss": np.full(300, 4.0),
    }
    runs = {
        "always-random": [run(50, **{m: float(v.mean()) for m, v in orders.items()})],
        "composite": [run(50, **{m: float(v.mean()) for m, v in better.items()})],
    }
    found = gains_of(runs, {"always-random": orders, "composite": better})["composite"]["best order"]
    low, high = found["P@1"]["interval"]
    assert low < found["P@1"]["absolute"] < high
    assert found["P@1"]["p_value"] < 0.01
    assert found["hamming_loss"]["interval"] == pytest.approx([1.0, 1.0])
    assert found["f1_micro"]["p_value"] is None


def test_the_csv_has_every_score_and_every_gain(tmp_path):
    learners = {"freq2rare": summary([run(1), run(3)]), "composite": summary([run(4)])}
    results = {
        "decoding": "chain",
        "learners": learners,
        "decodings": {
            "composite": {"chain": learners["composite"], "beam": {"accuracy": summary([run(9)])["accuracy"]}}
        },
        "gains": gains(learners, {}),
    }
    write_csv(results, tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 * len(METRICS) + 1
    assert lines[-1]["seed_p_value"] == ""
    first, beam, gain = lines[0], next(x for x in lines if x["decoding"] == "beam"), lines[-len(METRICS)]
    assert (first["learner"], first["metric"], first["value"], first["seeds"]) == (
        "freq2rare",
        "P@1",
        "2.0",
        "2",
    )
    assert float(first["low"]) < 2 < float(first["high"])
    assert (beam["metric"], beam["value"], beam["low"]) == ("accuracy", "9.0", "")
    assert (gain["learner"], gain["against"], gain["value"]) == ("composite", "freq2rare", "2.0")
