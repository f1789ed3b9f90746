"""Windows of records as sampling sees them: only what matters is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from crucible_collector.batch import I64, U8, Bool, Signal
from crucible_collector.candidates import KEYS, NOT_TOLD, U64, Candidates
from crucible_collector.decode import xxh64
from crucible_collector.sample.randomness import of_trace_ids, without_trace

RECEIVED_NS = 1_760_000_000_000_000_000


@dataclass
class Texts:
    """Columns made of lists of texts: `Columns` for tests. A text alone is that of every record."""

    rows: int
    texts: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    def key(self, name: str) -> U64:
        assert name in KEYS
        found = self._column(self.texts.get(name, ""))
        return np.array([xxh64(text.encode()) for text in found], np.uint64)

    def label(self, name: str, row: int) -> str:
        return str(self._column(self.texts.get(name, ""))[row])

    def is_event(self, patterns: tuple[str, ...]) -> Bool:
        names = self._column(self.texts.get("event", ""))
        return np.array(
            [any(f"{name}.".startswith(f"{each}.") for each in patterns) for name in names],
            np.bool_,
        )

    def has(self, attribute: str, value: str) -> Bool:
        found = self._column(self.attributes.get(attribute, ""))
        return np.array([text == value for text in found], np.bool_)

    def _column(self, value: Any) -> list[str]:
        return [value] * self.rows if isinstance(value, str) else list(value)


def ids(generator: np.random.Generator, count: int) -> U8:
    """Random trace ids."""
    return generator.integers(0, 256, (count, 16), np.uint8)


def of_randomness(*values: int) -> U8:
    """Trace ids that differ, with this randomness."""
    made = [(place + 1 << 64 | value).to_bytes(16, "big") for place, value in enumerate(values)]
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 16).copy()


def records(
    trace_id: U8,
    *,
    signal: Signal = Signal.TRACES,
    texts: dict[str, Any] | None = None,
    attributes: dict[str, Any] | None = None,
    **columns: npt.ArrayLike,
) -> Candidates:
    """Records of these traces; a column is an array or one value for all of them."""
    rows = len(trace_id)
    randomness = of_trace_ids(trace_id)
    alone = without_trace(trace_id)
    randomness[alone] = np.flatnonzero(alone) + 1

    def column(name: str, dtype: Any, otherwise: Any) -> Any:
        value = columns.pop(name, otherwise)
        return np.array(np.broadcast_to(np.asarray(value, dtype), (rows,)))

    made = Candidates(
        signal=signal,
        columns=Texts(rows, texts or {}, attributes or {}),
        wanted=column("wanted", np.bool_, True),
        received_ns=column("received_ns", np.int64, RECEIVED_NS),
        trace_id=trace_id,
        randomness=column("randomness", np.int64, randomness),
        upstream=column("upstream", np.int64, NOT_TOLD),
        status_code=column("status_code", np.int64, 0),
        duration_ns=column("duration_ns", np.int64, 1_000_000),
        cost_usd=column("cost_usd", np.float64, 0.0),
        score=column("score", np.float64, 0.0),
    )
    assert not columns, columns
    return made


def taken(candidates: Candidates, chosen: Bool | I64) -> Candidates:
    """Some of the records."""
    columns = candidates.columns
    assert isinstance(columns, Texts)
    some = np.arange(len(candidates))[chosen]

    def of(texts: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value if isinstance(value, str) else [value[row] for row in some]
            for name, value in texts.items()
        }

    return Candidates(
        candidates.signal,
        Texts(len(some), of(columns.texts), of(columns.attributes)),
        *(getattr(candidates, name)[some] for name in Candidates.__slots__[2:]),
    )
