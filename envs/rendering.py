"""Pictures of an episode: as text for a terminal, as an image for videos and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.episodes import EpisodeBatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRONGEST = 8
"""How many features of an input that is no picture are shown."""
PER_LINE = 34
"""Characters in a line of an image."""
RIGHT, WRONG, MISSED = "#2e7d32", "#c62828", "#757575"
PLAIN: dict[str, Any] = {"fontsize": 10, "va": "top", "parse_math": False}
"""How names are written in an image: dollar signs are just that."""


@dataclass(frozen=True)
class Scene:
    """What there is to show of one episode.

    Attributes:
        dataset: For names and the shape of pictures.
        features: ``(num_features,)``, the input.
        actions: ``(steps,)``, what was done so far.
        true: ``(num_labels,)`` bool.
        score: The return so far.
        reward: The name of the reward.
    """

    dataset: MultilabelDataset
    features: NDArray[np.float32]
    actions: NDArray[np.int64]
    true: NDArray[np.bool_]
    score: float
    reward: str

    @classmethod
    def of(cls, episodes: EpisodeBatch, env: int) -> Scene:
        """The episode of one environment of a batch."""
        chains = episodes.chains
        return cls(
            dataset=episodes.dataset,
            features=episodes.dataset.dense_features(episodes.rows[episodes.index[env : env + 1]])[0],
            actions=chains.actions[env, : chains.steps[env]],
            true=chains.true[env],
            score=float(episodes.returns[env]),
            reward=chains.reward.name,
        )

    def decided(self) -> list[tuple[str, str]]:
        """Each action as (name, ``"right"``, ``"wrong"``, ``"again"`` or ``"stop"``)."""
        entries, seen = [], set()
        for action in self.actions.tolist():
            if action == self.dataset.num_labels:
                entries.append(("STOP", "stop"))
            elif action in seen:
                entries.append((self.dataset.label_names[action], "again"))
            else:
                seen.add(action)
                verdict = "right" if self.true[action] else "wrong"
                entries.append((self.dataset.label_names[action], verdict))
        return entries

    def true_names(self) -> list[tuple[str, bool]]:
        """Each true label as (name, whether it is out)."""
        out = set(self.actions.tolist())
        return [(self.dataset.label_names[i], i in out) for i in np.flatnonzero(self.true).tolist()]

    def strongest_features(self) -> list[tuple[str, float]]:
        """The features of largest magnitude by name, at most eight, zeros left out."""
        names = self.dataset.feature_names
        order = np.argsort(-np.abs(self.features), kind="stable")[:STRONGEST]
        return [
            (names[i] if names else f"feature {i}", float(self.features[i]))
            for i in order.tolist()
            if self.features[i] != 0
        ]


def render_ansi(scene: Scene) -> str:
    """The input, the chain (``+`` right, ``-`` wrong, ``=`` emitted again) and the true labels, as text."""
    if scene.dataset.image_shape is not None:
        ink = scene.features.reshape(scene.dataset.image_shape)
        span = max(float(ink.max()), 1e-9)
        shade = np.clip((ink / span * 4).astype(int), 0, 4)
        picture = ["".join(" ░▒▓█"[v] * 2 for v in row) for row in shade.tolist()]
    else:
        picture = [f"{name} = {value:.4g}" for name, value in scene.strongest_features()]
    marks = {"right": "+", "wrong": "-", "again": "=", "stop": ""}
    chain = " ".join(f"{marks[verdict]}{name}" for name, verdict in scene.decided())
    missed = [name for name, out in scene.true_names() if not out]
    lines = [
        f"chain   {chain or '(nothing yet)'}",
        f"true    {' '.join(name for name, _ in scene.true_names()) or '(none)'}",
        f"missed  {' '.join(missed) or '(none)'}",
        f"return  {scene.score:.3f} ({scene.reward})",
    ]
    return "\n".join([*picture, *lines]) + "\n"


def render_rgb(scene: Scene) -> NDArray[np.uint8]:
    """The same as an image ``(320, 640, 3)`` uint8: right labels green, wrong ones red, missed ones grey.

    Raises:
        gymnasium.error.DependencyNotInstalled: If matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise gym.error.DependencyNotInstalled(
            "render_mode='rgb_array' needs matplotlib: pip install 'labelchain[train]'"
        ) from error
    figure = Figure(figsize=(6.4, 3.2), dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    left = figure.add_axes((0.02, 0.06, 0.44, 0.88))
    if scene.dataset.image_shape is not None:
        left.imshow(scene.features.reshape(scene.dataset.image_shape), cmap="gray_r", vmin=0)
        left.set_xticks([])
        left.set_yticks([])
    else:
        left.set_axis_off()
        for line, (name, value) in enumerate(scene.strongest_features()):
            left.text(0.02, 0.95 - 0.12 * line, f"{_short(name)} = {value:.3g}", **PLAIN)
    right = figure.add_axes((0.5, 0.0, 0.5, 1.0))
    right.set_axis_off()
    colours = {"right": RIGHT, "wrong": WRONG, "again": MISSED, "stop": "black"}
    right.text(0, 0.93, "chain", fontsize=11, weight="bold", va="top")
    _write(right, 0.84, [(name, colours[verdict]) for name, verdict in scene.decided()])
    right.text(0, 0.52, "true labels", fontsize=11, weight="bold", va="top")
    _write(right, 0.43, [(name, RIGHT if out else MISSED) for name, out in scene.true_names()])
    right.text(0, 0.08, f"return {scene.score:.3f} ({scene.reward})", fontsize=10, va="bottom")
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()


def _short(name: str, width: int = 22) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def _write(axes: Axes, top: float, words: list[tuple[str, str]]) -> None:
    """Write coloured words in lines from ``top`` down."""
    for row, line in enumerate(_lines(words)):
        column = 0
        for word, colour in line:
            where = column / PER_LINE * 0.95, top - 0.08 * row
            axes.text(*where, word, color=colour, family="monospace", **PLAIN)
            column += len(word) + 1


def _lines(words: list[tuple[str, str]], most: int = 4) -> list[list[tuple[str, str]]]:
    """Coloured words wrapped to at most ``most`` lines; what does not fit is counted at the end."""
    lines: list[list[tuple[str, str]]] = [[]]
    for word, colour in words:
        shown = _short(word)
        if _width(lines[-1]) + len(shown) > PER_LINE:
            lines.append([])
        lines[-1].append((shown, colour))
    if len(lines) <= most:
        return lines
    hidden = sum(len(line) for line in lines[most:])
    last = lines[most - 1]
    while last and _width(last) + len(f"+{hidden} more") > PER_LINE:
        last.pop()
        hidden += 1
    return [*lines[: most - 1], [*last, (f"+{hidden} more", "black")]]


def _width(line: list[tuple[str, str]]) -> int:
    """Columns that a line takes with the space behind it."""
    return sum(len(word) + 1 for word, _ in line)
