"""Reading: a named question goes in, rows of JSON text come out.

PostgreSQL writes the JSON (`row_to_json`), so that an answer of ten thousand points costs the
collector's interpreter, which also feeds the receivers, a string each and no objects. It also
spells what JSON cannot: a float8 NaN or infinity becomes the string "NaN", "Infinity" or "-Infinity",
and a jsonb number keeps its decimal point.

Queries live in `queries/`, one file a question. A line `-- include name` stands for that file. A line
`-- each sums: name` stands for a branch for each piece of the period in the parameter `sums`, joined by
`union all`: of `name_rolled` with the roll-up of the piece's level, of `name_raw`, or of `name_rim` for
what lies just outside the period.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib import resources
from typing import Any, Protocol, TypeVar, cast

import psycopg
from psycopg.rows import scalar_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from crucible_collector.errors import (
    AnswerTooLargeError,
    DatabaseAwayError,
    QueriesTooManyError,
    QueryTooSlowError,
)
from crucible_collector.store import rollups
from crucible_collector.store.arrays import array_rows
from crucible_collector.store.asking import CURRENT
from crucible_collector.store.connect import READERS_MAX
from crucible_collector.store.pieces import Piece
from crucible_collector.store.rollups import continuous, portable
from crucible_collector.store.rollups.continuous import Settled
from crucible_collector.store.rollups.families import FAMILIES
from crucible_collector.store.rollups.family import Level

# The embedded database restarts in well under a second; waiting longer would only fill the server's
# threads with questions that end in 503 and Retry-After anyhow.
CONNECTION_TIMEOUT_S = 2.0
# A restarted database leaves dead connections in the pool; each attempt throws one away.
ATTEMPTS_MAX = 3
# What is refreshed stays so: an older answer only has a little less read where it lies.
SETTLED_ASK_S = 30.0
# A whole trace of ten thousand spans is 20 MB. libpq holds an answer besides, so rows are taken some at a
# time: 10,000 of them come as fast so.
ANSWER_BYTES_MAX = 32 * 1024 * 1024
_ROWS_AT_ONCE = 500 if psycopg.capabilities.has_stream_chunked() else 1

# Sums read all of many chunks of a roll-up (portable ones lie in one table, and are read by index). What
# connect.READ forbids for the sake of look-ups would make every plan of theirs look as dear as any other,
# and those that sort win: 80 ms where hashing takes 60.
_WHOLE_CHUNKS = "select set_config('enable_seqscan', 'on', true)"

_INCLUDE = re.compile(r"^-- include (\w+)\n", re.MULTILINE)
_EACH = re.compile(r"^-- each (\w+): (\w+)\n", re.MULTILINE)
_ROLLUP = re.compile(r"(?<=\bfrom )crucible\.(\w+)_1[mhd]\b")
_NOTHING_SETTLED: Mapping[str, Settled] = {}
_FAMILIES = {family.name: family for family in FAMILIES}


T = TypeVar("T")
Connection = psycopg.Connection[Any]
_Taken = Callable[[Connection, str, dict[str, Any]], list[T]]  # the rows of a statement


class Reads(Protocol):
    """What the API asks of the database."""

    def json_rows(self, question: str, /, **parameters: object) -> list[str]:
        """The answer's rows, each the text of a JSON object, in the query's order."""
        ...


class ReadsArrays(Reads, Protocol):
    """What it asks where an answer is made of very many numbers."""

    def array_rows(
        self, question: str, made_of: Callable[[dict[str, Any]], T], /, **parameters: object
    ) -> list[T]:
        """What is made of each of the answer's rows, whose arrays are Arrow's."""
        ...


@functools.cache
def query_text(question: str) -> str:
    """The SQL of a named question, includes filled in."""
    folder = resources.files("crucible_collector.store") / "queries"
    text = (folder / f"{question}.sql").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: query_text(found[1]), text)


def compose(
    question: str,
    parameters: Mapping[str, Any],
    kind: rollups.Kind | None = None,
    settled: Mapping[str, Settled] = _NOTHING_SETTLED,
) -> tuple[str, dict[str, Any]]:
    """The SQL of a named question about these parameters, and those that it is executed with.

    `kind`: which way the roll-ups are kept; None has them read by their views, which either way has.
    `settled`: where pieces that are refreshed lie, by view.
    """
    bound = dict(parameters)

    def branches(found: re.Match[str]) -> str:
        name, file = found.groups()
        pieces: Sequence[Piece] = bound.pop(name)
        made = []
        for number, piece in enumerate(pieces):
            begin, end = f"{name}_{number}_from", f"{name}_{number}_to"
            bound.update({begin: piece.start, end: piece.end})
            text = query_text(f"{file}_{piece.source}")
            if piece.level:
                text = _ROLLUP.sub(functools.partial(_relation, piece, kind, settled), text)
            made.append(
                text.replace("(piece_from)", f"({begin})").replace("(piece_to)", f"({end})")
            )
        return "union all\n".join(made)

    return _EACH.sub(branches, query_text(question)), bound


def _relation(
    piece: Piece,
    kind: rollups.Kind | None,
    settled: Mapping[str, Settled],
    found: re.Match[str],
) -> str:
    family, level = _FAMILIES[found[1]], cast("Level", piece.level)
    if kind == "portable":
        return portable.addends(family, level)
    view = family.view(level)
    lying = settled.get(view)
    if lying is not None and piece.end is not None and piece.end <= lying.until:
        return lying.relation
    return f"crucible.{view}"


class Reader:
    """Answers named questions over a pool of connections; any thread may ask."""

    def __init__(self, pool: ConnectionPool[Any], queries_max: int = READERS_MAX) -> None:
        """The pool is the caller's to open and close, and has so many connections; these should be in UTC."""
        self._pool = pool
        self._turns = threading.BoundedSemaphore(queries_max)
        self._queries_max = queries_max
        self._kind: rollups.Kind | None = None  # what was chosen once stays
        self._settled: Mapping[str, Settled] = _NOTHING_SETTLED
        self._settled_ask_at = float("-inf")

    def json_rows(self, question: str, /, **parameters: object) -> list[str]:
        """See `Reads`. Raises a DatabaseError that says why there is no answer."""

        def taken(connection: Connection, text: str, bound: dict[str, Any]) -> list[str]:
            # Only texts of this package become SQL; what was asked travels as parameters.
            statement = f"select row_to_json(answer)::text from (\n{text}) answer"  # noqa: S608
            return _taken(connection, statement, bound)

        return self._in_turn(question, parameters, taken)

    def array_rows(
        self, question: str, made_of: Callable[[dict[str, Any]], T], /, **parameters: object
    ) -> list[T]:
        """See `ReadsArrays`. Raises a DatabaseError that says why there is no answer.

        A row may be asked for again where the database went away: `made_of` only computes.
        """

        def taken(connection: Connection, text: str, bound: dict[str, Any]) -> list[T]:
            return array_rows(connection, text, bound, made_of)

        return self._in_turn(question, parameters, taken)

    def _in_turn(self, question: str, parameters: dict[str, object], taken: _Taken[T]) -> list[T]:
        if not self._turns.acquire(timeout=CONNECTION_TIMEOUT_S):
            raise QueriesTooManyError(
                f"{self._queries_max} questions are being asked of the database (queries_max), and none of"
                f" them was answered within {CONNECTION_TIMEOUT_S:.0f} s"
            )
        try:
            return self._answer(question, parameters, taken)
        finally:
            self._turns.release()

    def _answer(self, question: str, parameters: dict[str, object], taken: _Taken[T]) -> list[T]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._fetch(question, parameters, taken)
            except psycopg.errors.QueryCanceled as error:
                raise QueryTooSlowError(
                    f"the query {question!r} ran into its time limit"
                ) from error
            except psycopg.errors.UndefinedTable:
                if attempt == ATTEMPTS_MAX or not self._settled:
                    raise
                self._settled_ask_at = float("-inf")  # the roll-ups have been made anew
            except (PoolTimeout, PoolClosed) as error:
                raise DatabaseAwayError("no connection to the database") from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if attempt == ATTEMPTS_MAX:
                    raise DatabaseAwayError("the database does not answer") from error
        raise AssertionError("unreachable")

    def _fetch(self, question: str, parameters: dict[str, object], taken: _Taken[T]) -> list[T]:
        asking = CURRENT.get()
        with (
            self._pool.connection(timeout=CONNECTION_TIMEOUT_S) as connection,
            nullcontext() if asking is None else asking.over(connection),
        ):
            if _EACH.search(query_text(question)):
                self._learn(connection)
            text, bound = compose(question, parameters, self._kind, self._settled)
            reads_chunks = "sums" in parameters and self._kind == "continuous"
            with connection.transaction() if reads_chunks else nullcontext():
                if reads_chunks:
                    connection.execute(_WHOLE_CHUNKS)
                return taken(connection, text, bound)

    def _learn(self, connection: Connection) -> None:
        """How the roll-ups are kept, and from time to time how far they are refreshed by now."""
        if self._kind is None:
            self._kind = rollups.kind_of(connection)
        if self._kind == "continuous" and time.monotonic() >= self._settled_ask_at:
            self._settled = continuous.settled(connection)
            self._settled_ask_at = time.monotonic() + SETTLED_ASK_S


def _taken(connection: Connection, statement: str, bound: dict[str, Any]) -> list[str]:
    """The rows, as long as they are no more bytes than an answer may have: AnswerTooLargeError.

    Nothing is prepared (`connect` sees to that): filters that were not given fold away only in a plan
    made for the very values, and after five runs a prepared statement may get a plan that fits none.
    """
    taken: list[str] = []
    answer_bytes = 0
    cursor = connection.cursor(row_factory=scalar_row)
    for row in cursor.stream(cast("Any", statement), bound, size=_ROWS_AT_ONCE):
        answer_bytes += len(row)
        if answer_bytes > ANSWER_BYTES_MAX:
            raise AnswerTooLargeError(
                f"the answer is larger than {ANSWER_BYTES_MAX} bytes: {len(taken)} rows are not"
            )
        taken.append(row)
    return taken
