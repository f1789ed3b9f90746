"""How kernels are compiled, and where their machine code is kept between starts.

All kernels release the GIL and check every index. Compiling them takes about half a minute of one
core; loading them from the cache a fraction of a second. Numba's own cache keeping is replaced in
three points: a kernel's machine code holds whatever it inlines but Numba looks at the kernel's own
file only, so the directory is named by a hash of all sources that kernels are made from; a
directory that cannot be written is read (its files are copied to a private one); and without a
home or a writable package the cache goes to the temporary directory instead of failing the import.

An image for unknown machines is built with NUMBA_CPU_NAME=generic and NUMBA_CPU_FEATURES= (empty)
in its environment: another CPU model otherwise misses the cache.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from crucible_collector.batch import (
    MEASUREMENT_PREFIXES,
    SLOT_KEYS,
    U8,
)

Function = TypeVar("Function", bound=Callable[..., Any])

# An int64 inside a kernel. Python's int and NumPy's int64 are one type to Numba, two to mypy.
Int: TypeAlias = Any

# Measured on 331-byte spans: 4.9 us a span as Numba does it, 4.3 with forceinline (passing an array
# costs seven words), 0.6 without reference counts (an atomic pair an array a call), too. So kernels
# allocate nothing: what they need is handed to them.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "boundscheck": True,
    "forceinline": True,
    "_nrt": False,
}

_numba_settings: Any = numba.config

_entry_points: list[Any] = []
_directory: Path | None = None

# Where kernels and all that they inline are written, under the collector's package; and what of the
# registry is in their machine code as tables.
_TABLES = (SLOT_KEYS, MEASUREMENT_PREFIXES)
_SOURCES = ("batch.py", "kernels.py", "mixing.py", "decode/*.py", "store/binary_copy.py")
# Kernels of a package that nothing else inlines, which so have a directory of their own in the others':
# a change of theirs does not have everything compiled anew.
_APART = {
    "crucible_collector.sample": ("sample/*.py", "sample/strategies/*.py"),
    "crucible_collector.detect": ("detect/*.py", "detect/detectors/*.py"),
    "crucible_collector.store.binary_rows": ("store/binary_rows.py",),
}


def inlined(function: Function) -> Function:
    """Compile a function that only kernels call; it lives inside its callers' machine code."""
    compiled: Function = numba.njit(**_OPTIONS)(function)
    return compiled


def kernel(function: Function) -> Function:
    """Compile a function that Python calls, at its first call, and keep the machine code."""
    compiled: Any = inlined(function)
    _entry_points.append(compiled)
    if _directory is not None:
        _keep_in(_directory, [compiled])
    entry_point: Function = compiled
    return entry_point


def read_only(buffer: npt.ArrayLike) -> U8:
    """Return a view that has the one array type the kernels are compiled for."""
    view = np.ascontiguousarray(buffer, dtype=np.uint8).view()
    view.flags.writeable = False
    return view


def writable(array: Any, dtype: Any) -> Any:
    """Return the array, or a copy that has the one array type the kernels are compiled for.

    A read-only, strided or narrower array would make Numba compile a second variant for seconds.
    """
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.writeable:
        return array
    return np.array(array, dtype=dtype)


def entry_points() -> tuple[Any, ...]:
    """Return every kernel that Python calls, as Numba's dispatchers."""
    return tuple(_entry_points)


def cache_directory(path: Path | None = None) -> Path | None:
    """Keep machine code under `path` from now on and return the directory really used.

    No path means NUMBA_CACHE_DIR, else the user's cache directory; no directory, that nothing can
    be written anywhere and every process compiles anew. Call it before the first decode: what is
    compiled by then stays where it is.
    """
    global _directory  # noqa: PLW0603 - Numba's own setting is one for the process, too
    base = path if path is not None else _default_base()
    name = f"kernels-{sources_hash(Path(__file__).parent)}"
    _directory = _usable(base / name if base is not None else None, name)
    if _directory is None:
        return None
    _keep_in(_directory, [entry for entry in _entry_points if not entry.signatures])
    return _directory


def directory_in_use() -> Path | None:
    """Return the directory that `cache_directory` chose, None before it was ever called."""
    return _directory


def _keep_in(directory: Path, entry_points: Sequence[Any]) -> None:
    # Numba reads its setting when caching is enabled, a kernel at a time; the process's own is
    # put back, so that other users of Numba keep their directory.
    before = _numba_settings.CACHE_DIR
    try:
        for entry_point in entry_points:
            _numba_settings.CACHE_DIR = str(directory / _apart(entry_point.py_func.__module__))
            entry_point.enable_caching()
    finally:
        _numba_settings.CACHE_DIR = before


@functools.cache
def _apart(module: str) -> str:
    """The name of a kernel's directory in the directory of all; empty where it has none of its own."""
    if not f"{module}.".startswith(tuple(f"{apart}." for apart in _APART)):
        return ""
    return f"{module.split('.')[1]}-{_hash(sources(Path(__file__).parent, module))}"


def _default_base() -> Path | None:
    named = os.environ.get("NUMBA_CACHE_DIR") or ""
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    if cache:
        return Path(cache) / "crucible-collector"
    try:
        return Path.home() / ".cache" / "crucible-collector"
    except RuntimeError:  # a user id without an entry and no HOME
        return None


def sources(package: Path, module: str = "") -> list[Path]:
    """Return every file that the kernels of a module are made from, as far as that names its directory."""
    for apart, patterns in _APART.items():
        if f"{module}.".startswith(f"{apart}."):
            return _found(package, patterns)
    return _found(package, _SOURCES)


def _found(package: Path, patterns: Sequence[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(package.glob(pattern))]


def sources_hash(package: Path) -> str:
    """Return what changes when any source that a kernel is made from does, or the compiler."""
    return _hash(sources(package))


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')} {_TABLES}".encode())
    for source in files:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _usable(wanted: Path | None, name: str) -> Path | None:
    if wanted is not None and _is_writable(wanted):
        return wanted
    try:
        private = _private_directory(name)
    except OSError:
        return None
    if wanted is not None:
        with contextlib.suppress(OSError):  # nothing there to read: compiled anew
            shutil.copytree(wanted, private, dirs_exist_ok=True)
    return private


def _is_writable(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


def _private_directory(name: str) -> Path:
    """Return a directory that nobody else could have put machine code into."""
    shared = Path(tempfile.gettempdir()) / f"crucible-{os.geteuid()}-{name}"
    with contextlib.suppress(FileExistsError):
        shared.mkdir(mode=0o700)
    found = shared.lstat()
    if (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        return shared
    return Path(tempfile.mkdtemp(prefix="crucible-kernels-"))
