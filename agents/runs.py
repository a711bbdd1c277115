"""Run directories: configuration, checkpoints and the final result of one learner's training."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from labelchain.agents.devices import CPU, described
from labelchain.agents.plain_values import check_number, is_finite
from labelchain.agents.settings import Settings
from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.files import held, remove_unfinished, written_beside
from labelchain.envs.metrics import LABEL_SET_METRICS, RANKING_METRICS

Progress = Callable[[float, str], None]
"""Called now and then with the share of the work done, in [0, 1], and a few words on what is being done."""

PACKAGES = (
    "labelchain",
    "gymnasium",
    "numpy",
    "scikit-learn",
    "scipy",
    "stable-baselines3",
    "sb3-contrib",
    "torch",
)


class RunError(ValueError):
    """A run directory is not what it should be; the message says what was expected, what came, what to do."""


class Run:
    """One learner, one data set, one seed, in one directory.

    ``config.json`` holds the full configuration, the seed and the versions of everything that counts;
    ``result.json``, written last, the final metrics. TensorBoard event files lie beside them.

    Attributes:
        directory: Where everything lies.
        learner: Name of the learner.
        dataset: What names the data set: a catalogue name or a path.
        seed: Seeds everything random.
        settings: All hyperparameters.
        device: Where a chain network is trained and read. It is recorded, but a run may go on, and be read,
            on another one.
        earlier_seconds: How long the training had taken that was gone on with, set by the training.
    """

    def __init__(
        self,
        directory: Path,
        learner: str,
        dataset: str,
        seed: int,
        settings: Settings,
        device: torch.device = CPU,
    ) -> None:
        self.directory = directory
        self.learner = learner
        self.dataset = dataset
        self.seed = seed
        self.settings = settings
        self.device = device
        self.earlier_seconds = 0.0

    @classmethod
    def open(cls, directory: Path, device: torch.device = CPU) -> Run:
        """A run that exists, on a device of one's choice.

        Raises:
            RunError: If the directory holds no readable ``config.json`` of this version.
        """
        config = read_json(directory / "config.json")
        try:
            learner, dataset, seed = config["learner"], config["dataset"], config["seed"]
            if not isinstance(learner, str) or not isinstance(dataset, str):
                raise TypeError("learner and dataset must be text")
            check_number(seed, "seed", int, least=0, most=2**63)
            settings = config["settings"]
            if not isinstance(settings, dict):
                raise TypeError(f"settings must be an object, got {type(settings).__name__}")
            return cls(directory, learner, dataset, seed, Settings.recorded(settings), device)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{directory / 'config.json'} is not the configuration of a run of this version: {error}"
            ) from error

    def create(self, data: MultilabelDataset | None = None) -> None:
        """Write the configuration, or check that a run begun earlier in this directory has the same one.

        Args:
            data: Their checksums are among what must be the same: files may change under the same name.

        Raises:
            RunError: If the directory holds another run.
        """
        path = self.directory / "config.json"
        remove_unfinished(self.directory)  # of a run that was killed
        if path.exists():
            begun = Run.open(self.directory)
            for name in ("learner", "dataset", "seed"):
                refuse_another(self.directory, "run", name, getattr(begun, name), getattr(self, name))
            theirs = asdict(begun.settings)
            for name, value in asdict(self.settings).items():
                refuse_another(self.directory, "run", name, theirs[name], value)
            kept = read_json(path)
            for name, checksum in _checksums(data).items():
                if kept.get(name) not in (None, checksum):  # None: of a version that did not keep it
                    changed = "the names in it or its image_shape" if name == "columns" else "its files"
                    raise RunError(
                        f"{self.directory} holds a run on {self.dataset} as it was before {changed} changed; "
                        "choose another folder or remove it"
                    )
            return
        write_json(path, self.config() | _checksums(data))

    def config(self) -> dict[str, Any]:
        """The full configuration."""
        return {
            "learner": self.learner,
            "dataset": self.dataset,
            "seed": self.seed,
            "settings": asdict(self.settings),
            "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
            "threads": torch.get_num_threads(),
            "device": described(self.device),
        }

    @property
    def result(self) -> dict[str, float] | None:
        """The final test metrics, or ``None`` if the run is not finished."""
        return self._result()["metrics"] if (self.directory / "result.json").exists() else None

    def forget_events(self) -> None:
        """Remove the event files of a training that was stopped and cannot be continued."""
        for path in self.directory.glob("events.out.tfevents.*"):
            path.unlink()

    def seconds(self) -> float:
        """How long the training and evaluation of a finished run took.

        All stretches of a training that was stopped count, up to the last epoch of each; of what is begun
        anew (agents of Stable-Baselines3, learners without a network, the evaluation) the last attempt does.
        """
        return float(self._result()["seconds"])

    def note_trained(self, seconds: float) -> None:
        """Keep how long a training took whose evaluation is still to come, and may come much later."""
        write_json(self.directory / "trained.json", {"seconds": seconds})

    def trained_seconds(self) -> float:
        """What :meth:`note_trained` kept; 0 if nothing is known.

        Raises:
            RunError: If it is damaged.
        """
        path = self.directory / "trained.json"
        if not path.exists():  # of a version that did not keep it
            return 0.0
        seconds = read_json(path).get("seconds")
        if not is_finite(seconds) or seconds < 0:
            raise RunError(f"{path} must hold how many seconds the training took; remove it")
        return float(seconds)

    def _result(self) -> dict[str, Any]:
        path = self.directory / "result.json"
        content = read_json(path)
        metrics, seconds = content.get("metrics"), content.get("seconds")
        wanted = {*RANKING_METRICS, *LABEL_SET_METRICS}
        complete = isinstance(metrics, dict) and wanted <= metrics.keys()
        numbers = [seconds, *metrics.values()] if isinstance(metrics, dict) and complete else [None]
        if not all(is_finite(number) for number in numbers):
            raise RunError(f"{path} is not the result of a run: it needs metrics and seconds; remove it")
        return content

    def finish(self, metrics: Mapping[str, float], seconds: float) -> None:
        """Write the final test metrics; the run counts as finished from here on."""
        write_json(self.directory / "result.json", {"metrics": dict(metrics), "seconds": seconds})
        (self.directory / "trained.json").unlink(missing_ok=True)


def _checksums(data: MultilabelDataset | None) -> dict[str, str]:
    """What of the data must be the same for a run to go on, by its key in ``config.json``."""
    return {} if data is None else {"data": data.fingerprint, "columns": data.columns_fingerprint}


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from training in a folder until the end.

    Raises:
        RunError: If one does already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder) as ours:
        if not ours:
            raise RunError(f"another process trains in {folder}; wait for it, or choose another folder")
        yield


def refuse_another(folder: Path, what: str, name: str, there: object, asked: object) -> None:
    """Raise RunError if a folder holds something with another value of a name than is asked for."""
    same = there == asked or (name == "dataset" and _followed(there) == _followed(asked))
    if not same:
        raise RunError(
            f"{folder} holds a {what} with {name}={there!r}, not {asked!r}; "
            "choose another folder or remove it"
        )


def _followed(source: object) -> object:
    """What names a data set, with links followed if it is a path or two: several paths may lead to a file."""
    if not isinstance(source, str):
        return source
    try:
        paths = json.loads(source) if source.startswith("[") else [source]
    except ValueError:
        paths = [source]
    return [os.path.realpath(path) if Path(path).is_absolute() else path for path in map(str, paths)]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        RunError: If the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        expected = "the folder of a run (those of a comparison are in its LEARNER/seed-NUMBER)"
        raise RunError(f"{path} does not exist: expected {expected}") from error
    except (OSError, RecursionError, ValueError) as error:  # RecursionError: thousands of brackets
        raise RunError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} must hold a JSON object, got {type(content).__name__}")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, beside and renamed."""
    with written_beside(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
