r"""The four families of synthetic problems, and the derivation of their known answers.

All have one form. Given the input x, the label set Y is the *signature* S with probability q = 1 - noise, or
else one of N *traps*, each with probability r = noise / N. The signature shares no label with a trap, and
q > r, so S is the mode of p(Y | x): the dynamic optimum of the subset accuracy is **q**.

q is below 1/2, and has to be: along the way to a set of probability above 1/2 every next label has more than
half of what is left, so that greedy decoding reaches such a set in any order. Traps have labels in common, so
that greedy decoding may well leave for them: their first label adds up their probabilities. Once a label of a
trap is out, only traps are possible, the chain ends at one of them, and the score is **r**. Once a label of S
is out, only S is possible, and the score is q. So *the first step decides*, and every score below is the
share of inputs in which it is right, times q, plus the rest, times r.

The first step compares two numbers. In a fixed order, S begins with one of its labels, of probability q,
wherever in the order its labels stand; a label c begins a trap with probability r times the number of traps
in which c is the first label by the order. In a random order (``always-random``), each of the \|S\| labels of
S has probability q / \|S\|, and a label c the sum of r / \|T\| over the traps T that contain it.

The mode is not the best set under every score: traps overlap, so example F1 prefers a trap, or the labels
that traps share, in all four families. Train for ``reward="subset"`` and select
models by subset accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product

from labelchain.envs.datasets.dataset import MultilabelDataset
from labelchain.envs.datasets.diagnostics.problem import KnownAnswers, signature_or_trap

NUM_ROWS = 5600
"""Rows of each split: with the default parameters all outcomes have whole numbers of rows."""


@lru_cache(maxsize=8)
def joint_mode(
    size: int = 4, noise: float = 0.68, seed: int = 0, num_rows: int = NUM_ROWS
) -> MultilabelDataset:
    r"""Joint mode against marginals: the most likely set consists of the least likely labels.

    Synthetic. There are L = 2k - 1 labels (k = ``size``) and L inputs, a one-hot context each. In the first
    context the signature is the first k - 1 labels, and the traps are the N = k sets that hold all but one
    of the last k labels. The other contexts shift all labels, modulo L. Every set has k - 1 labels.

    - *Independent*: a label of S has probability q < 1/2, a trap label noise (k - 1) / k. Either all trap
      labels are predicted or none; neither is ever a label set: **0**.
    - *Fixed order*: of the k trap labels, the first by the order begins k - 1 traps: noise (k - 1) / k,
      whatever the order. That is more than q if noise > k / (2k - 1). So every order is trapped, for
      every input: **noise / k**.
    - *Random order*: a trap label has (k - 1) r / (k - 1) = noise / k, a label of S has q / (k - 1), which is
      less under the same condition: **noise / k**.
    - *Dynamic*: **1 - noise**, above noise / k if noise < k / (k + 1).

    With the default parameters: 0, 0.17, 0.17, 0.32.

    Args:
        size: k, at least 3.
        noise: Between k / (2k - 1) and k / (k + 1).
        seed: Seeds the order of rows, and the rounding of their numbers.
        num_rows: Rows of each split.

    Raises:
        ValueError: If a parameter is out of range.
    """
    _check("joint_mode", size, 3, noise, size / (2 * size - 1), size / (size + 1))
    num_labels, trapped = 2 * size - 1, noise / size
    trap_labels = range(size - 1, num_labels)
    traps = [[label for label in trap_labels if label != left_out] for left_out in trap_labels]

    def shift(labels: list[int], by: int) -> list[int]:
        return [(label + by) % num_labels for label in labels]

    contexts = range(num_labels)
    return signature_or_trap(
        "diagnostic-joint-mode",
        [[float(context == column) for column in contexts] for context in contexts],
        [shift(list(range(size - 1)), context) for context in contexts],
        [[shift(trap, context) for trap in traps] for context in contexts],
        noise,
        label_names=[f"label {label}" for label in range(num_labels)],
        feature_names=[f"context {context}" for context in contexts],
        known=KnownAnswers(0.0, trapped, trapped, 1.0 - noise),
    ).dataset(num_rows, seed)


@lru_cache(maxsize=8)
def context_first(
    size: int = 4, noise: float = 0.72, seed: int = 0, num_rows: int = NUM_ROWS
) -> MultilabelDataset:
    r"""Context decides which label must come first: the doubtful group has to be decided before the sure one.

    Synthetic. There are two groups of k = ``size`` labels, a1, a2, ... and b1, b2, ..., and the signature s1,
    s2, ... of k + 1 labels. The input is one context bit. If it is 0, the traps are all of group a with one
    of group b (N = k); if it is 1, all of group b with one of group a. Every set has k + 1 labels.

    - *Independent*: all of the sure group (probability noise > 1/2) and no other label, which is never a
      label set: **0**.
    - *Fixed order*: with bit 0 and u labels of group b before the first of group a, the latter begins k - u
      traps: r (k - u). For u = k, at most r < q: right. For u = 0, it is noise > q: trapped. With bit 1, the
      same holds with the groups exchanged. If the first of all a and b labels is an a, then u = 0, and bit 0
      is trapped; else bit 1 is. Any order that lists one group before the other is right for one bit, so
      the best is **(1 - noise) / 2 + noise / (2k)**.
    - *Random order*: a label of the sure group has noise / (k + 1), one of S has q / (k + 1), less:
      **noise / k**.
    - *Dynamic*: **1 - noise**, above noise / k if noise < k / (k + 1). It takes no more than a fixed order
      for each bit: group b first for 0, group a first for 1.

    With the default parameters: 0, 0.18, 0.23, 0.28.

    Args:
        size: k, at least 2.
        noise: Between 1/2 and k / (k + 1).
        seed: Seeds the order of rows, and the rounding of their numbers.
        num_rows: Rows of each split.

    Raises:
        ValueError: If a parameter is out of range.
    """
    _check("context_first", size, 2, noise, 1 / 2, size / (size + 1))
    trapped, group_a, group_b = noise / size, list(range(size)), list(range(size, 2 * size))
    signature = list(range(2 * size, 3 * size + 1))
    return signature_or_trap(
        "diagnostic-context-first",
        [[0.0], [1.0]],
        [signature, signature],
        [[[*group_a, doubtful] for doubtful in group_b], [[*group_b, doubtful] for doubtful in group_a]],
        noise,
        label_names=_names("a", size) + _names("b", size) + _names("s", size + 1),
        feature_names=["bit"],
        known=KnownAnswers(0.0, trapped, (1.0 - noise + trapped) / 2, 1.0 - noise),
    ).dataset(num_rows, seed)


@lru_cache(maxsize=8)
def hidden_dependence(
    size: int = 4, noise: float = 0.8, seed: int = 0, num_rows: int = NUM_ROWS
) -> MultilabelDataset:
    r"""Label dependence without feature information: a hidden coin decides, and the input says nothing of it.

    Synthetic. The input is two fair bits that have nothing to do with the labels. A hidden coin decides
    between the signature of n = ``size`` labels s1, s2, ... and n pairs (a1, b1), (a2, b2), ... that show one
    label each, by fair coins (N = 2^n traps). Every set has n labels.

    - *Independent*: every label has a probability below 1/2, so none is predicted: **0**.
    - *Fixed order*: the first by the order of all pair labels begins half of the traps, noise / 2, whatever
      the order, and that is more than q if noise > 2/3. So every order is trapped: **noise / 2^n**.
    - *Random order*: a pair label has noise / (2n), a label of S has q / n, which is less under the same
      condition: **noise / 2^n**.
    - *Dynamic*: **1 - noise**, above noise / 2^n if noise < 2^n / (2^n + 1).

    With the default parameters: 0, 0.05, 0.05, 0.2.

    Args:
        size: n, at least 2.
        noise: Between 2/3 and 2^n / (2^n + 1).
        seed: Seeds the order of rows, and the rounding of their numbers.
        num_rows: Rows of each split.

    Raises:
        ValueError: If a parameter is out of range.
    """
    _check("hidden_dependence", size, 2, noise, 2 / 3, 2**size / (2**size + 1))
    trapped = noise / 2**size
    traps = [list(trap) for trap in product(*([pair, size + pair] for pair in range(size)))]
    inputs = [list(bits) for bits in product([0.0, 1.0], repeat=2)]
    return signature_or_trap(
        "diagnostic-hidden-dependence",
        inputs,
        [list(range(2 * size, 3 * size))] * len(inputs),
        [traps] * len(inputs),
        noise,
        label_names=_names("a", size) + _names("b", size) + _names("s", size),
        feature_names=["noise 1", "noise 2"],
        known=KnownAnswers(0.0, trapped, trapped, 1.0 - noise),
    ).dataset(num_rows, seed)


@lru_cache(maxsize=8)
def long_chain(
    size: int = 4, noise: float = 0.64, seed: int = 0, num_rows: int = NUM_ROWS
) -> MultilabelDataset:
    r"""Error propagation along long chains: one wrong step, and each of h further ones is a coin toss.

    Synthetic. There are a left and a right run of h = ``size`` labels, l1, l2, ... and r1, r2, ..., and a
    signature of m = ceil(3h / 2) labels s1, s2, ... The input is one bit, the end at which the chain is
    sure. If it is 0, the traps are all left labels with any subset of the right ones (N = 2^h); if it is 1,
    all right labels with any subset of the left ones. Sets have h to 2h labels, and a trap 3h / 2 on average.

    - *Independent*: exactly the sure run (its labels have probability noise, the doubtful ones noise / 2,
      those of S q): the trap with the empty subset, **noise / 2^h**.
    - *Fixed order*: with bit 0 and u right labels before the first left one, the i-th of these begins traps
      of probability noise / 2^i, and the left one the rest, noise / 2^u. For u >= 1 all are at most
      noise / 2, less than q if noise < 2/3: right. For u = 0, it is noise > q: trapped. With bit 1 the same
      holds with the runs exchanged. The first of all left and right labels is on one side, so every order is
      right for one bit and trapped for the other: **(1 - noise) / 2 + noise / 2^(h + 1)**. Whoever is trapped
      has h coin tosses to guess: the longer the chain, the less is left of the second term.
    - *Random order*: a label of the sure run has noise E[1 / (h + B)] with B binomial (h, 1/2), by Jensen at
      least noise / (3h / 2) >= noise / m; a label of S has q / m, less: **noise / 2^h**.
    - *Dynamic*: **1 - noise**. It takes no more than a fixed order for each bit: a doubtful label first.

    With the default parameters: 0.04, 0.04, 0.2, 0.36.

    Args:
        size: h, from 1 to 10.
        noise: Between 1/2 and 2/3.
        seed: Seeds the order of rows, and the rounding of their numbers.
        num_rows: Rows of each split.

    Raises:
        ValueError: If a parameter is out of range.
    """
    _check("long_chain", size, 1, noise, 1 / 2, 2 / 3, largest=10)
    trapped, left, right = noise / 2**size, list(range(size)), list(range(size, 2 * size))
    length = (3 * size + 1) // 2
    subsets = list(product([False, True], repeat=size))

    def traps(sure: list[int], doubtful: list[int]) -> list[list[int]]:
        return [
            sure + [label for label, on in zip(doubtful, chosen, strict=True) if on] for chosen in subsets
        ]

    return signature_or_trap(
        "diagnostic-long-chain",
        [[0.0], [1.0]],
        [list(range(2 * size, 2 * size + length))] * 2,
        [traps(left, right), traps(right, left)],
        noise,
        label_names=_names("l", size) + _names("r", size) + _names("s", length),
        feature_names=["bit"],
        known=KnownAnswers(trapped, trapped, (1.0 - noise + trapped) / 2, 1.0 - noise),
    ).dataset(num_rows, seed)


DIAGNOSTICS: dict[str, Callable[[], MultilabelDataset]] = {
    "diagnostic-joint-mode": joint_mode,
    "diagnostic-context-first": context_first,
    "diagnostic-hidden-dependence": hidden_dependence,
    "diagnostic-long-chain": long_chain,
}
"""The families by the names of their data sets; without arguments, they take the default parameters."""


def _names(letter: str, size: int) -> list[str]:
    return [f"{letter}{number}" for number in range(1, size + 1)]


def _check(
    family: str, size: int, smallest: int, noise: float, low: float, high: float, largest: int = 12
) -> None:
    """Refuse parameters for which the derivation does not hold, or label sets without end."""
    if not smallest <= size <= largest:
        raise ValueError(f"{family}: size must be from {smallest} to {largest}, got {size}")
    if not low < noise < high:
        raise ValueError(
            f"{family}: with size {size}, noise must be above {low:.3f} and below {high:.3f}, got {noise}; "
            "outside, the known answers do not hold"
        )
