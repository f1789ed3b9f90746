"""Which events are sent: allowed and denied by the beginning of their names.

A prefix ends where a part of the name ends: `crucible_train.batch` takes in
`crucible_train.batch.stop`, not `crucible_train.batches`. The longest prefix that fits decides, and
`deny` where both have it. With something allowed and nothing fitting, an event is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from crucible_schema import canonical_event

_NAMES_MAX = 10_000  # a program that makes names up must not fill memory


class Subscription:
    """Decides once for each name and counts what is left out; threads may share it."""

    def __init__(self, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        self._rules = {_parts(prefix): True for prefix in allow}
        self._takes_the_rest = not self._rules
        self._rules |= {_parts(prefix): False for prefix in deny}
        self._verdicts: dict[str, bool] = {}
        self._left_out_count = 0
        self._lock = threading.RLock()

    @property
    def left_out_count(self) -> int:
        return self._left_out_count

    def takes(self, event: str) -> bool:
        """Whether an event of this name, an alias of it included, is to be sent; counts a no."""
        if not self._rules:
            return True
        verdict = self._verdicts.get(event)
        if verdict is None:
            verdict = self._decide(event)
            if len(self._verdicts) < _NAMES_MAX:
                self._verdicts[event] = verdict
        if not verdict:
            with self._lock:
                self._left_out_count += 1
        return verdict

    def _decide(self, event: str) -> bool:
        parts = _parts(canonical_event(event))
        for length in range(len(parts), -1, -1):
            verdict = self._rules.get(parts[:length])
            if verdict is not None:
                return verdict
        return self._takes_the_rest


def _parts(prefix: str) -> tuple[str, ...]:
    """Split a name or prefix; `crucible_train.*` is `crucible_train`, and `*` is every name."""
    text = prefix.strip().removesuffix("*").removesuffix(".")
    return tuple(text.split(".")) if text else ()
