"""What a comparison found, from the predictions of its runs: means, intervals, gains."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelchain.baselines.learners import COMPOSITE, CONTROLS, FOUR_ORDERS, ORDER_PAIR
from labelchain.baselines.significance import paired_bootstrap, seed_interval, seed_p_value
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import LABEL_SET_METRICS, LOWER_IS_BETTER, RANKING_METRICS

METRICS = (*RANKING_METRICS, *LABEL_SET_METRICS)
CHALLENGERS = (COMPOSITE, "composite-q", "composite-joint", "chain-pg", "chain-q", *CONTROLS)
"""Whose gains are counted."""
LINEAR = ("binary-relevance", "tuned-binary-relevance", "classifier-chain", "ensemble-of-chains")
"""Logistic regressions: what there is without a network."""
BEST_ORDER = "best order"
"""The opponent that is, for each metric, whichever of the four orders is best."""
BEST_LINEAR = "best linear model"
"""The opponent that is, for each metric, whichever of :data:`LINEAR` is best."""
BESTS = (BEST_ORDER, BEST_LINEAR)
"""Opponents that are the best of several."""
P_VALUES = ("p_value", "seed_p_value")
"""Of a gain: over test rows, and over seeds."""

Results = dict[str, Any]
Rows = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""By learner and metric the score of each test row in per cent, mean over seeds, ``(num_rows,)``."""


def best_orders(results: Results) -> str:
    """What :data:`BEST_ORDER` is in a comparison, in words."""
    return (
        "best of the four orders" if results["learners"].keys() >= {*FOUR_ORDERS} else "best order compared"
    )


def in_words(results: Results, against: str) -> str:
    """An opponent's name, or what it is the best of."""
    chosen = {BEST_ORDER: f"the {best_orders(results)}", BEST_LINEAR: f"the {BEST_LINEAR}"}
    return chosen.get(against, against)


def gain_cells(gain: Mapping[str, Any]) -> list[str]:
    """A gain as tables show it: absolute, its interval, relative, p-values over test rows and over seeds."""
    interval, relative = gain["interval"], gain["relative"]
    return [
        f"{gain['absolute']:+.2f}",
        "-" if interval is None else "{:+.2f} to {:+.2f}".format(*interval),
        "-" if relative is None else f"{relative:+.1f} %",
        *("-" if p is None else "<0.0001" if p < 1e-4 else f"{p:.4f}" for p in map(gain.get, P_VALUES)),
    ]


def summary(runs: Sequence[Mapping[str, float]], metrics: Sequence[str] = METRICS) -> dict[str, Any]:
    """Of each metric the mean over seeds, its 95 % interval (``None`` for one seed) and the values."""
    found = {}
    for metric in metrics:
        values = [run[metric] for run in runs]
        interval = seed_interval(values)
        found[metric] = {
            "mean": statistics.fmean(values),
            "interval": None if interval is None else list(interval),
            "values": values,
        }
    return found


def gains(learners: Mapping[str, Mapping[str, Any]], rows: Rows) -> dict[str, Any]:
    """What RL learners gain over the best order, as large ensembles of ``always-random``, and linear models.

    Args:
        learners: By learner, what :func:`summary` gives.
        rows: The scores per row, for the paired bootstrap; metrics that have none get no interval.

    Returns:
        By challenger, opponent and metric: both values, the absolute gain (in points, positive if better)
        with its 95 % interval and two-sided p-value over test rows, the p-value over seeds, and the relative
        gain in per cent.
    """
    orders, linear = ([name for name in names if name in learners] for names in (FOUR_ORDERS, LINEAR))
    found: dict[str, Any] = {}
    asked: list[tuple[dict[str, Any], NDArray[np.float64]]] = []
    for challenger in CHALLENGERS:
        control = CONTROLS.get(challenger, ORDER_PAIR)
        for opponents, name in ((orders, BEST_ORDER), ([control], control), (linear, BEST_LINEAR)):
            if challenger not in learners or not opponents or opponents[0] not in learners:
                continue
            entries = found.setdefault(challenger, {}).setdefault(name, {})
            for metric in METRICS:
                sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
                scores = {each: learners[each][metric] for each in opponents}
                opponent = max(opponents, key=lambda each: sign * scores[each]["mean"])
                entry = _gain(sign, learners[challenger][metric], opponent, scores[opponent])
                entries[metric] = entry
                if metric in rows.get(challenger, {}) and metric in rows.get(opponent, {}):
                    asked.append((entry, sign * (rows[challenger][metric] - rows[opponent][metric])))
    if asked:
        intervals, found_p = paired_bootstrap(np.stack([differences for _, differences in asked], axis=1))
        for (entry, _), interval, p_value in zip(asked, intervals.tolist(), found_p.tolist(), strict=True):
            entry |= {"interval": interval, "p_value": p_value}
    return found


def _gain(sign: float, ours: Mapping[str, Any], opponent: str, theirs: Mapping[str, Any]) -> dict[str, Any]:
    value, against = ours["mean"], theirs["mean"]
    absolute = sign * (value - against)
    return {
        "opponent": opponent,
        "value": value,
        "opponent_value": against,
        "absolute": absolute,
        "relative": 100.0 * absolute / against if against else None,
        "interval": None,
        "p_value": None,
        "seed_p_value": seed_p_value(ours["values"], theirs["values"]),
    }


COLUMNS = (
    "learner",
    "against",
    "decoding",
    "metric",
    "value",
    "low",
    "high",
    "relative",
    *P_VALUES,
    "seeds",
)


def write_csv(results: Results, path: Path) -> None:
    """Write every score and every gain, one a line; the decoding of models without chains is ``scores``.

    ``value`` is the mean over seeds in per cent or, where ``against`` names an opponent, the absolute gain;
    ``low`` and ``high`` are the ends of its 95 % interval. Of gains ``p_value`` is over test rows,
    ``seed_p_value`` over seeds.
    """
    lines: list[tuple[object, ...]] = []
    for learner, entry in results["learners"].items():
        by_decoding = results["decodings"].get(learner) or {"scores": entry}
        for decoding, scores in by_decoding.items():
            for metric, score in scores.items():
                low, high = score["interval"] or ("", "")
                scored = score["mean"], low, high, "", "", "", len(score["values"])
                lines.append((learner, "", decoding, metric, *scored))
    for learner, opponents in results["gains"].items():
        for entries in opponents.values():
            for metric, gain in entries.items():
                low, high = gain["interval"] or ("", "")
                both = [gain[name] for name in P_VALUES]
                gained = gain["absolute"], low, high, gain["relative"], *both, ""
                lines.append((learner, gain["opponent"], results["decoding"], metric, *gained))
    with written_beside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(lines)
