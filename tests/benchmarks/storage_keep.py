"""Where filled databases are kept between benchmarks: outside the clone, one a kind of server.

A directory is named by a hash of all that shapes what lies in it: migrations, functions and views, what
roll-ups are made of, and the generator's own source. It is a data directory of the server, which is
started in it anew each time; a fill that was not finished has no note of its end and is thrown away.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import databases
from benchmarks import storage_fill
from benchmarks.storage_story import Scale, Story
from crucible_collector.store.embedded import EmbeddedServer
from crucible_collector.store.rollups import continuous, portable
from crucible_collector.store.rollups.families import FAMILIES

LOG = logging.getLogger("benchmarks")
NOTE, BEGUN = "filled.json", "filling"
KINDS = ("timescale", "plain")
# Measured, indexes and roll-ups included, rows not in the columnstore.
SPAN_BYTES, POINT_BYTES = 1_000, 160
_GB = 1_000_000_000
_GENERATOR = ("story", "columns", "rows", "inferences", "fill")
# What is asked must not be disturbed, nor what was filled in change: no job, no vacuum. Memory as the
# doctor advises for a store of this size.
QUIET = {
    "autovacuum": "off",
    "timescaledb.max_background_workers": "0",
    "shared_buffers": "2GB",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A filled database whose server runs."""

    kind: str
    version: str
    dsn: str
    story: Story
    spans: int
    points: int
    seconds: dict[str, float]


def installed(kind: str) -> Path | None:
    """The directory of TimescaleDB's programs; None for the collector's own choice of PostgreSQL.

    SystemExit with one line where the system has no TimescaleDB: a fill needs one of its own.
    """
    if kind == "plain":
        return None
    found = next((each for each in databases._system_binaries() if each.has_timescaledb), None)
    if found is None:
        sys.exit("bench-storage: no PostgreSQL of the system has TimescaleDB: try --kinds plain")
    return found.directory


def shape(scale: Scale) -> str:
    """The hash that a fill is found by."""
    digest = hashlib.sha256(repr(scale).encode())
    store = resources.files("crucible_collector.store")
    for name in (
        "bootstrap.sql",
        "migrations",
        "objects",
        "objects_on_rollups",
        "columnstore.py",
        "trace_hints",
    ):
        for text in _texts(store.joinpath(name)):
            digest.update(text)
    digest.update(resources.files("crucible_collector.enrich").joinpath("partials.py").read_bytes())
    for name in _GENERATOR:
        digest.update(Path(__file__).with_name(f"storage_{name}.py").read_bytes())
    for family in FAMILIES:
        for index, level in enumerate(family.levels):
            below = family.levels[index - 1] if index else None
            digest.update(continuous._definition(family, level, below, "public").encode())
            digest.update(portable._view(family, level).encode())
        digest.update("\n".join(portable._tables(family, is_partitioned=True)).encode())
    return digest.hexdigest()[:16]


def _texts(where: Traversable) -> Iterator[bytes]:
    if where.is_file():
        yield where.read_bytes()
    elif where.is_dir():
        for each in sorted(where.iterdir(), key=lambda entry: entry.name):
            if each.name.endswith((".sql", ".py")):
                yield each.read_bytes()


def default_directory(scale: Scale) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "crucible-bench" / shape(scale)


@contextmanager
def kept(
    kind: str,
    scale: Scale,
    directory: Path,
    say: Callable[[str], None],
    *,
    refill: bool = False,
    settings: Mapping[str, str] = QUIET,
) -> Iterator[Kept]:
    """Start the server of the filled database, which is filled first where it is not there."""
    own = directory / kind
    own.mkdir(parents=True, exist_ok=True)
    with _alone(directory / f"{kind}.lock"):
        if refill or not (own / NOTE).exists():
            _fill(kind, scale, own, say)
        note = json.loads((own / NOTE).read_text())
        story = Story(scale, dt.datetime.fromisoformat(note["end"]))
        server = EmbeddedServer(own, installed(kind), LOG, settings={**_preload(kind), **settings})
        try:
            dsn = server.start()
            yield Kept(
                kind,
                f"PostgreSQL {server.version}",
                dsn,
                story,
                note["spans"],
                note["points"],
                note["seconds"],
            )
        finally:
            server.stop()


def _fill(kind: str, scale: Scale, own: Path, say: Callable[[str], None]) -> None:
    bin_dir = installed(kind)
    _clear(own)
    wanted, free = (
        scale.spans * SPAN_BYTES + scale.points * POINT_BYTES,
        shutil.disk_usage(own).free,
    )
    if free < wanted:
        sys.exit(
            f"bench-storage: about {wanted / _GB:.0f} GB of room are needed in {own}, and"
            f" {free / _GB:.0f} GB are free: give another --directory, or fewer --spans and --points"
        )
    (own / BEGUN).touch()
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    settings = {**_preload(kind), **storage_fill.SETTINGS}
    server = EmbeddedServer(own, bin_dir, LOG, settings=settings)
    say(f"filling {own}")
    try:
        filled = storage_fill.fill(server.start(), Story(scale, midnight), say)
    finally:
        server.stop()
    os.sync()  # the server did not
    note = {**asdict(filled), "end": midnight.isoformat(), "scale": asdict(scale)}
    (own / NOTE).write_text(json.dumps(note, indent=2) + "\n")
    say(f"filled {own} in {filled.seconds['all']:.0f} s")


def _preload(kind: str) -> dict[str, str]:
    return {"shared_preload_libraries": ""} if kind == "plain" else {}


def _clear(own: Path) -> None:
    """Remove what an earlier fill left; SystemExit where that is not ours to remove."""
    if any(own.iterdir()) and not any((own / name).exists() for name in (NOTE, BEGUN)):
        sys.exit(f"bench-storage: {own} is neither empty nor a filled database")
    (own / BEGUN).touch()  # so that a removal that is cut short goes on next time
    (own / NOTE).unlink(missing_ok=True)
    for each in own.iterdir():
        if each.name != BEGUN:
            shutil.rmtree(each) if each.is_dir() else each.unlink()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep another benchmark out: two servers in one directory end each other."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"bench-storage: another benchmark uses {path.parent}")
        yield
