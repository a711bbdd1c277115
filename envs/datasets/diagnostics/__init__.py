"""Synthetic diagnostic problems whose best scores are known exactly.

Every problem here is synthetic: a small discrete distribution of inputs and label sets, written down in
:mod:`labelchain.envs.datasets.diagnostics.families`, so that the best expected score of independent labels,
of the best fixed order and of a dynamic order follow by arithmetic. They show *what a learner can and cannot
do*, not how well it does on data of the world.

>>> from labelchain.envs.datasets.diagnostics import context_first, known_answers
>>> known = known_answers(context_first())
>>> round(known.independent, 3), round(known.fixed_order, 3), round(known.dynamic, 3)
(0.0, 0.23, 0.28)
"""

from labelchain.envs.datasets.diagnostics.families import (
    DIAGNOSTICS,
    context_first,
    hidden_dependence,
    joint_mode,
    long_chain,
)
from labelchain.envs.datasets.diagnostics.problem import (
    DiagnosticDataset,
    KnownAnswers,
    Problem,
    known_answers,
)

__all__ = [
    "DIAGNOSTICS",
    "DiagnosticDataset",
    "KnownAnswers",
    "Problem",
    "context_first",
    "hidden_dependence",
    "joint_mode",
    "known_answers",
    "long_chain",
]
