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
from labelchain.baselines.significance import paired_bootstrap, seed_interval
from labelchain.envs.files import written_beside
from labelchain.envs.metrics import LABEL_SET_METRICS, LOWER_IS_BETTER, RANKING_METRICS

METRICS = (*RANKING_METRICS, *LABEL_SET_METRICS)
CHALLENGERS = (COMPOSITE, "composite-q", "composite-joint", "chain-pg", "chain-q", *CONTROLS)
"""Whose gains are counted."""
BEST_ORDER = "best order"
"""The opponent that is, for each metric, whichever of the four orders is best."""

Results = dict[str, Any]
Rows = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""By learner and metric the score of each test row in per cent, mean over seeds, ``(num_rows,)``."""


def best_orders(results: Results) -> str:
    """What :data:`BEST_ORDER` is in a comparison, in words."""
    return (
        "best of the four orders" if results["learners"].keys() >= {*FOUR_ORDERS} else "best order compared"
    )


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
    """The gains of RL learners over the best of the four orders, and over as many networks of that kind.

    Args:
        learners: By learner, what :func:`summary` gives.
        rows: The scores per row, for the paired bootstrap; metrics that have none get no interval.

    Returns:
        By challenger, opponent and metric: both values, the absolute gain (in points, positive if better)
        with its 95 % interval and two-sided p-value over test rows, and the relative gain in per cent.
    """
    orders = [order for order in FOUR_ORDERS if order in learners]
    found: dict[str, Any] = {}
    asked: list[tuple[dict[str, Any], NDArray[np.float64]]] = []
    for challenger in CHALLENGERS:
        control = CONTROLS.get(challenger, ORDER_PAIR)
        for opponents, name in ((orders, BEST_ORDER), ([control], control)):
            if challenger not in learners or not opponents or opponents[0] not in learners:
                continue
            entries = found.setdefault(challenger, {}).setdefault(name, {})
            for metric in METRICS:
                sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
                means = {each: learners[each][metric]["mean"] for each in opponents}
                opponent = max(opponents, key=lambda each: sign * means[each])
                entry = _gain(sign, learners[challenger][metric]["mean"], opponent, means[opponent])
                entries[metric] = entry
                if metric in rows.get(challenger, {}) and metric in rows.get(opponent, {}):
                    asked.append((entry, sign * (rows[challenger][metric] - rows[opponent][metric])))
    if asked:
        intervals, p_values = paired_bootstrap(np.stack([differences for _, differences in asked], axis=1))
        for (entry, _), interval, p_value in zip(asked, intervals.tolist(), p_values.tolist(), strict=True):
            entry |= {"interval": interval, "p_value": p_value}
    return found


def _gain(sign: float, value: float, opponent: str, against: float) -> dict[str, Any]:
    absolute = sign * (value - against)
    return {
        "opponent": opponent,
        "value": value,
        "opponent_value": against,
        "absolute": absolute,
        "relative": 100.0 * absolute / against if against else None,
        "interval": None,
        "p_value": None,
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
    "p_value",
    "seeds",
)


def write_csv(results: Results, path: Path) -> None:
    """Write every score and every gain, one a line; the decoding of models without chains is ``scores``.

    ``value`` is the mean over seeds in per cent or, where ``against`` names an opponent, the absolute gain;
    ``low`` and ``high`` are the ends of its 95 % interval.
    """
    lines: list[tuple[object, ...]] = []
    for learner, entry in results["learners"].items():
        by_decoding = results["decodings"].get(learner) or {"scores": entry}
        for decoding, scores in by_decoding.items():
            for metric, score in scores.items():
                low, high = score["interval"] or ("", "")
                scored = score["mean"], low, high, "", "", len(score["values"])
                lines.append((learner, "", decoding, metric, *scored))
    for learner, opponents in results["gains"].items():
        for entries in opponents.values():
            for metric, gain in entries.items():
                low, high = gain["interval"] or ("", "")
                gained = gain["absolute"], low, high, gain["relative"], gain["p_value"], ""
                lines.append((learner, gain["opponent"], results["decoding"], metric, *gained))
    with written_beside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(lines)
