"""Hyperparameters: one documented dataclass, and the values that suit a data set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from labelchain.agents.chain_network import NetworkConfig
from labelchain.agents.plain_values import LARGEST_COUNT, check_types
from labelchain.envs import default_max_labels
from labelchain.envs.datasets import MultilabelDataset
from labelchain.envs.metrics import LABEL_SET_METRICS, LOWER_IS_BETTER
from labelchain.envs.rewards import make_reward


@dataclass(frozen=True)
class Settings(NetworkConfig):
    """Everything that a run can be told: the shape of the network, and what follows.

    The same settings serve every learner of a comparison.
    """

    epochs: int = 40
    """Passes over the training rows, the warm-up of RL learners included."""
    batch_size: int = 128
    """Inputs per gradient step."""
    learning_rate: float = 1e-3
    """Adam's first learning rate; it falls to zero along a cosine."""
    clip: float = 10.0
    """Largest gradient norm."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products while training. ``bfloat16`` is up to twice as fast if the processor multiplies it
    (``avx512_bf16`` or ``amx_bf16`` among its flags), and slower elsewhere."""
    warmup: float = 0.5
    """Share of the epochs in which RL learners train on true labels in random orders first."""
    rl_learning_rate: float = 1e-3
    """As ``learning_rate``, for the RL epochs after the warm-up."""
    estimator: Literal["all-actions", "sampled"] = "all-actions"
    """How RL learners estimate their gradient: from the rewards of all actions, or (Nam et al. 2019) of the
    sampled ones."""
    reward: str = "ndcg@5"
    """The reward of RL learners, by name. ``ndcg@5`` does not care when a chain stops; ``f1`` does."""
    power: float = 0.5
    """Power of the probability of right labels in what ``all-actions`` maximises, in (0, 1], for rewards of
    ranks (``ndcg@k``, ``precision@k``): 1 is the expected reward; lower ones weigh inputs more on which right
    labels have little probability."""
    discount: float = 0.0
    """Discount of later rewards in the returns of sampled chains, in [0, 1]: 0 looks at the next label only,
    1 at the whole chain. (``estimator="sampled"``; ``all-actions`` looks at the next label only.)"""
    entropy: float = 0.01
    """Weight of the entropy bonus (``estimator="sampled"``; ``all-actions`` has none)."""
    baseline: Literal["value", "self-critical"] = "value"
    """What is subtracted from the return of a sampled chain (``estimator="sampled"``): a learned value, or
    the return, from the same step on, of the chain that the network decodes greedily for the same input
    (Rennie et al. 2017)."""
    alpha: float = 0.5
    """Weight of the RL loss in the joint composite; the rest is the reordering loss."""
    mixing: Literal["validated", "equal"] = "validated"
    """Weights of the two networks of the composite at output: 0.7 for that of RL unless the validation rows
    clearly prefer another, for rankings and for label sets apart; or 1/2 each (Nam et al. 2019)."""
    label_set_metric: str = "f1_example"
    """The validation metric that selects the model for label sets. (Rankings are selected by nDCG@5.)"""
    stop: Literal["learned", "validated"] = "validated"
    """Where label sets end: by what is added to a network's logit of STOP so that the validation rows score
    well by ``label_set_metric``, as a threshold would be chosen; or where each network learned to stop."""
    max_labels: int | None = None
    """Chain limit; by default ``int(1.5 * largest training label set) + 1``."""
    beam_width: int = 5
    """How many label sets the decoding ``beam`` keeps."""
    sb3_steps: int | None = None
    """Environment steps of Stable-Baselines3 agents; by default what ``agents/hyperparameters`` says."""
    sb3_reward: str | None = None
    """The reward of Stable-Baselines3 agents, by name; by default what ``agents/hyperparameters`` says."""

    def __post_init__(self) -> None:
        """Raise ValueError on a value out of range."""
        super().__post_init__()
        for name in ("epochs", "batch_size", "beam_width", "sb3_steps", "max_labels"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= LARGEST_COUNT:
                raise ValueError(f"{name} must be from 1 to {LARGEST_COUNT}, got {value}")
        for name in ("learning_rate", "rl_learning_rate", "clip"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if self.estimator not in ("all-actions", "sampled"):
            raise ValueError(f"estimator must be 'all-actions' or 'sampled', got {self.estimator!r}")
        if self.baseline not in ("value", "self-critical"):
            raise ValueError(f"baseline must be 'value' or 'self-critical', got {self.baseline!r}")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be 'float32' or 'bfloat16', got {self.precision!r}")
        if self.mixing not in ("validated", "equal"):
            raise ValueError(f"mixing must be 'validated' or 'equal', got {self.mixing!r}")
        if self.stop not in ("validated", "learned"):
            raise ValueError(f"stop must be 'validated' or 'learned', got {self.stop!r}")
        for name in ("warmup", "discount", "alpha"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0.0 < self.power <= 1.0:
            raise ValueError(f"power must be in (0, 1], got {self.power}")
        if not 0.0 <= self.entropy < float("inf"):
            raise ValueError(f"entropy must be finite and at least 0, got {self.entropy}")
        if self.label_set_metric not in LABEL_SET_METRICS or self.label_set_metric in LOWER_IS_BETTER:
            usable = [name for name in LABEL_SET_METRICS if name not in LOWER_IS_BETTER]
            raise ValueError(
                f"label_set_metric must be one of {', '.join(usable)}, got {self.label_set_metric!r}"
            )
        for name in filter(None, (self.reward, self.sb3_reward)):
            make_reward(name, num_labels=1)
        if self.estimator == "all-actions" and make_reward(self.reward, num_labels=1).at_end:
            raise ValueError(
                f"reward {self.reward!r} is paid at the end of a chain, which estimator 'all-actions' does "
                "not see: set estimator=sampled and discount=1"
            )
        if self.discount == 0.0 and make_reward(self.reward, num_labels=1).at_end:
            raise ValueError(
                f"reward {self.reward!r} is paid at the end of a chain, which no label before it sees with "
                "discount 0: set discount=1"
            )

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> Settings:
        """Those of a file that may be older than some of them: what it lacks is what was done then.

        Raises:
            ValueError: If a name is unknown, or a value is not of its type or out of range.
        """
        check_types(cls, values)
        return cls(**(EARLIER | dict(values)))

    def network(self) -> NetworkConfig:
        """The network's part of the settings."""
        names = [field.name for field in fields(NetworkConfig)]
        return NetworkConfig(**{name: getattr(self, name) for name in names})

    def selection(self) -> dict[str, str]:
        """The validation metric that selects the model for each family of metrics."""
        return {"ranking": "nDCG@5", "label_set": self.label_set_metric}

    def chain_limit(self, dataset: MultilabelDataset) -> int:
        """``max_labels``, or the default for the data set."""
        return self.max_labels if self.max_labels is not None else default_max_labels(dataset)

    def with_changes(self, changes: dict[str, Any]) -> Settings:
        """A copy with some values changed, given as values or as text (``"0.5"``, ``"none"``).

        Numbers may be NumPy's.

        Raises:
            ValueError: If a name is unknown, or a value is not of its type.
        """
        known = {field.name: field for field in fields(self)}
        parsed = {}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}: expected one of {', '.join(known)}")
            plain = value.item() if isinstance(value, np.generic) else value
            parsed[name] = _parse(name, str(known[name].type), plain) if isinstance(plain, str) else plain
        check_types(Settings, parsed)
        return dataclasses.replace(self, **parsed)


def named_values(changes: Iterable[str]) -> dict[str, Any]:
    """What command lines give as ``--set NAME=VALUE``, for :meth:`Settings.with_changes`.

    Raises:
        ValueError: If one has another form.
    """
    named = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, got {change!r}")
        named[name.strip()] = value.strip()
    return named


def _parse(name: str, kind: str, text: str) -> Any:
    if "None" in kind and text.lower() == "none":
        return None
    convert = int if kind.startswith("int") else float if kind.startswith("float") else str
    try:
        return convert(text)
    except ValueError as error:
        raise ValueError(f"setting {name} must be of type {kind}, got {text!r}") from error


TUNED: dict[str, dict[str, Any]] = {
    "bibtex": {"width": 512, "slope": 0.3, "dropout": 0.8, "input_dropout": 0.1, "epochs": 20},
    "delicious": {"width": 512, "dropout": 0.5, "input_dropout": 0.3, "epochs": 20, "warmup": 0.25},
}
"""Values chosen on the validation rows of single data sets."""


NAM2019: dict[str, Any] = {
    "cell": "gru",
    "embedding": 512,
    "width": 2048,
    "hidden": 512,
    "dropout": 0.5,
    "input_dropout": 0.2,
    "learning_rate": 1e-4,
    "rl_learning_rate": 1e-4,
    "batch_size": 128,
    "clip": 10.0,
    "epochs": 200,
    "estimator": "sampled",
    "mixing": "equal",
    "stop": "learned",
}
"""What Nam et al. (2019) trained with on Delicious; hours for each learner on a few cores."""
EARLIER: dict[str, Any] = {"stop": "learned"}
"""What was done before a setting existed, where that is not its default: files of then do not have it."""
FEWEST_STEPS, FEWEST_STEPS_ON_WORDS = 350, 110
"""Gradient steps of the shortest training, on dense features and on words: after fewer, they rank worse."""
STEPS_PER_EPOCH, SMALLEST_BATCH = 32, 8
"""What makes batches small: so many steps in an epoch, unless a batch would have fewer rows than that."""
PRESETS = ("fast", "nam2019")
"""``fast``: ours, as suits the data set. ``nam2019``: the paper's, whatever the data set."""


def settings_for(dataset: MultilabelDataset, preset: str = "fast", small_batches: bool = False) -> Settings:
    """The settings that suit a data set: tuned ones, or else by the kind of its features.

    Few rows are passed over more often, for at least :data:`FEWEST_STEPS` gradient steps in all, or
    :data:`FEWEST_STEPS_ON_WORDS`.

    Args:
        dataset: The data.
        preset: One of :data:`PRESETS`.
        small_batches: Rather have few rows in smaller batches, which is sooner done.

    Raises:
        ValueError: If there is no such preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}: expected one of {', '.join(PRESETS)}")
    if preset == "nam2019":
        return Settings().with_changes(NAM2019)
    of_words = {"width": 512, "slope": 0.3, "dropout": 0.5, "input_dropout": 0.1, "epochs": 20}
    general = of_words if dataset.is_sparse else {}
    settings = Settings().with_changes(TUNED.get(dataset.name, general))
    num_rows = len(dataset.rows("train"))
    if small_batches:
        batch_size = max(SMALLEST_BATCH, num_rows // STEPS_PER_EPOCH)
        settings = settings.with_changes({"batch_size": min(settings.batch_size, batch_size)})
    fewest = FEWEST_STEPS_ON_WORDS if dataset.is_sparse else FEWEST_STEPS  # of words, more rank worse
    steps_per_epoch = math.ceil(num_rows / settings.batch_size)
    return settings.with_changes({"epochs": max(settings.epochs, math.ceil(fewest / steps_per_epoch))})
