"""Machine code is kept where it can be, is never out of date, and there is one of each kernel."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from collector.decode.observed import decode_bodies
from collector.decode.spans import decoded, places, span
from crucible_collector import decode, kernels
from crucible_collector.batch import Signal, TextRef
from crucible_collector.decode import warm

PACKAGE = Path(kernels.__file__).parent

# One small kernel is enough to see where machine code goes: compiling all takes half a minute.
_HASH_ONE_TEXT = """
import os, pwd
def nobody(uid): raise KeyError(uid)
pwd.getpwuid = nobody
from crucible_collector import decode, kernels
assert decode.xxh64(b"") == 0xEF46DB3751D8E999
print(kernels.directory_in_use())
"""


def run_apart(program: str, **environment: str) -> str:
    """Run in a Python of its own that has no home but what `environment` says."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def machine_code(directory: Path) -> set[str]:
    return {path.name.split("-")[0] for path in directory.rglob("*.nbc")}


def test_without_a_home_machine_code_goes_to_the_temporary_directory(tmp_path: Path) -> None:
    used = Path(run_apart(_HASH_ONE_TEXT, TMPDIR=str(tmp_path)))
    assert used.parent == tmp_path
    assert stat.S_IMODE(used.stat().st_mode) == 0o700
    assert machine_code(used) == {"hashes._hash_rows"}


def test_with_a_home_that_cannot_be_written_it_does_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        place = {name: str(tmp_path / "file" / "home"), "TMPDIR": str(tmp_path)}
        assert Path(run_apart(_HASH_ONE_TEXT, **place)).parent == tmp_path


def test_where_nothing_can_be_written_it_still_works(tmp_path: Path) -> None:
    """On a read-only file system `tempfile` finds no directory and raises."""
    (tmp_path / "file").touch()
    no_temporary = (
        "import tempfile\ndef none(): raise FileNotFoundError\ntempfile.gettempdir = none"
    )
    used = run_apart(no_temporary + _HASH_ONE_TEXT, HOME=str(tmp_path / "file" / "home"))
    assert used == "None"


def test_any_source_of_a_kernel_names_another_directory(tmp_path: Path) -> None:
    """Numba itself looks at one kernel's file, not at what the kernel inlines."""
    copy = tmp_path / "collector"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = kernels.sources_hash(copy)
    assert before == kernels.sources_hash(PACKAGE)
    for name in ("decode/wire.py", "decode/slots.py", "batch.py", "kernels.py"):
        source = copy / name
        source.write_text(source.read_text() + "\n# changed\n")
        after = kernels.sources_hash(copy)
        assert after != before
        before = after


def test_every_kernel_is_written_in_a_source_that_names_the_directory() -> None:
    assert importlib.import_module("crucible_collector.sample.sampler")
    for entry in kernels.entry_points():
        written_in = Path(entry.py_func.__code__.co_filename)
        assert written_in in kernels.sources(PACKAGE, entry.py_func.__module__)


def test_what_nothing_else_inlines_is_kept_apart() -> None:
    """A change of a sampler does not have the decoder compiled anew."""
    module = "crucible_collector.sample.memory"
    apart, others = set(kernels.sources(PACKAGE, module)), set(kernels.sources(PACKAGE))
    assert Path(importlib.import_module(module).__file__ or "") in apart
    assert not apart & others


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a test choose directories without a lasting effect on the kernels of this process."""
    monkeypatch.setattr(kernels, "_entry_points", [])
    monkeypatch.setattr(kernels, "_directory", None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path


def test_a_directory_that_can_only_be_read_is_read(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an image that was built with its machine code and runs read-only."""
    baked = decode.cache_directory(own_cache / "baked")
    assert baked is not None
    (baked / "kernel.nbc").write_bytes(b"machine code")
    monkeypatch.setattr(kernels, "_is_writable", lambda _: False)
    used = decode.cache_directory(own_cache / "baked")
    assert used is not None
    assert used.parent == own_cache / "tmp"
    assert (used / "kernel.nbc").read_bytes() == b"machine code"


@pytest.mark.parametrize("trap", ["writable by all", "a link"])
def test_a_directory_that_others_prepared_is_not_trusted(own_cache: Path, trap: str) -> None:
    """Whoever writes into the cache runs code as the collector."""
    (own_cache / "file").touch()
    nowhere = own_cache / "file"
    first = decode.cache_directory(nowhere)
    assert first is not None
    first.rmdir()
    if trap == "a link":
        (own_cache / "theirs").mkdir(mode=0o700)
        first.symlink_to(own_cache / "theirs")
    else:
        first.mkdir()
        first.chmod(0o777)
    second = decode.cache_directory(nowhere)
    assert second is not None
    assert second != first
    assert stat.S_IMODE(second.stat().st_mode) == 0o700


def test_the_setting_of_other_users_of_numba_is_left_alone(own_cache: Path) -> None:
    before = kernels._numba_settings.CACHE_DIR
    decode.cache_directory(own_cache / "ours")
    assert before == kernels._numba_settings.CACHE_DIR


def test_every_kernel_is_compiled_for_one_set_of_types_whatever_it_is_given() -> None:
    """A second variant would cost seconds in the middle of the stream."""
    decode.warm_up(logging.getLogger(__name__))
    body = span((b"k", [1.5]), (b"crucible.measurement.x", 1), name=b"name")
    spans = decoded(body, body, body)
    frozen = np.frombuffer(np.array([0, 0], dtype=np.int64).tobytes(), dtype=np.int64)
    decode.decode_spans(bytearray(body), frozen[:1], np.array([len(body)], dtype=np.int32))
    every_other = TextRef(spans.name.offset[::2], spans.name.length[::2])
    decode.text_array(spans.buffer.copy(), every_other)
    decode.text_hash(spans.buffer.copy(), every_other)
    start = np.frombuffer(spans.attribute_start.tobytes(), dtype=np.int64)
    decode.attributes_json(spans, start, lifted=False)
    decode.attribute_set_hash(spans, start[::2])
    for signal in Signal:
        decode_bodies(signal, [b"", b""])
    variants = {
        entry.__name__: len(entry.signatures)
        for entry in kernels.entry_points()
        if entry.__module__.startswith(decode.__name__)
    }
    assert variants == dict.fromkeys(variants, 1)


def test_every_kernel_checks_its_indices_and_releases_the_gil() -> None:
    for entry in kernels.entry_points():
        assert entry.targetoptions["boundscheck"]
        assert entry.targetoptions["nogil"]


def test_threads_decode_alike() -> None:
    buffer, ref = places(*(b"row %d" % number for number in range(1000)))
    wanted = decode.text_array(buffer, ref)
    found = []
    workers = [
        threading.Thread(target=lambda: found.append(decode.text_array(buffer, ref)))
        for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [wanted] * 8


def test_a_long_first_start_says_what_it_does(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    tell = warm._tell

    def telling(log: logging.Logger) -> None:
        tell(log)
        told.set()

    monkeypatch.setattr(warm, "NEWS_AFTER_S", 0.0)
    monkeypatch.setattr(warm, "_tell", telling)
    monkeypatch.setattr(warm, "_exercise", lambda: told.wait(10))
    caplog.set_level(logging.INFO)
    decode.warm_up(logging.getLogger("decoder"))
    assert [record.message.split()[0] for record in caplog.records] == ["compiling", "kernels"]
    assert str(kernels.directory_in_use()) in caplog.records[0].message
