"""Infos whose costly part is worked out when it is first looked at."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class LateInfos(dict[str, Any]):
    """A dictionary some of whose values are worked out, all at once, when the first of them is read.

    What is known of an episode when it ends (its chain, every metric) takes longer than many steps; a
    training loop that does not look at it need not wait for it. Which keys there are is known at once. Copies
    and pickles are plain dictionaries.

    >>> infos = LateInfos({"index": 3}, ["chain"], lambda: {"chain": [1, 2]})
    >>> "chain" in infos, infos["chain"], dict(infos)
    (True, [1, 2], {'index': 3, 'chain': [1, 2]})

    Args:
        now: What is there.
        late: Keys whose values come later.
        values: Gives them.
    """

    def __init__(
        self, now: dict[str, Any], late: Sequence[str], values: Callable[[], dict[str, Any]]
    ) -> None:
        super().__init__(now)
        super().update(dict.fromkeys(late))
        self._late = set(late)
        self._values = values

    def complete(self) -> None:
        """Work out what is still missing."""
        if self._late:
            late, self._late = self._late, set()
            values = self._values()
            super().update({key: values[key] for key in late})

    def __getitem__(self, key: str) -> Any:
        if key in self._late:
            self.complete()
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._late.discard(key)
        super().__setitem__(key, value)

    def __iter__(self) -> Iterator[str]:
        # Overridden at all, so that dict(infos) and {**infos} read the values through __getitem__.
        return super().__iter__()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        del protocol
        return self.__reduce__()


def _completing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def completed(self: LateInfos, *args: Any, **kwargs: Any) -> Any:
        self.complete()
        return method(self, *args, **kwargs)

    return completed


# Whatever else reads or changes values does so when all are there.
for _name in (
    *("copy", "get", "items", "pop", "popitem", "setdefault", "update", "values"),
    *("__delitem__", "__eq__", "__ne__", "__ior__", "__or__", "__ror__", "__repr__"),
):
    setattr(LateInfos, _name, _completing(getattr(dict, _name)))
