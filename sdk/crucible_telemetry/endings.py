"""How the process ends: what is open ends with it, and what waits is sent, within a deadline.

    end of the interpreter      open scopes are cancelled, what waits is sent
    uncaught exception          open scopes fail with it; the rest as above
    SIGTERM                     as at the end; then the signal does what it always did
    child of multiprocessing    as at the end; it leaves by `os._exit`, which runs no `atexit`

What a reader could not guess:

- Scopes in a `with` have ended before an exception is uncaught. What is open then was opened by hand,
  by an adapter, or by a thread that goes on.
- SIGTERM is taken only where it has its default action, from the main thread, and a handler that the
  user installs later wins. Python runs handlers between two bytecodes of the main thread: a process
  that hangs in a C call ends when that returns, as under any Python handler.
- As process 1 of a container SIGTERM has no default action: there what waits is sent, and the process
  goes on until it is killed.
- A forked child ends none of its parent's scopes.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Protocol

from crucible_telemetry import faults


class Endable(Protocol):
    """A scope, as far as it matters here."""

    def close(self, error: BaseException | None = None) -> None: ...


class ProcessEnded(BaseException):
    """Why a scope ended that nobody had ended when the process did."""


_open: weakref.WeakValueDictionary[int, Endable] = weakref.WeakValueDictionary()

_finish: Callable[[], object] | None = None
_flush: Callable[[], object] | None = None
_is_finishing = _was_told_to_end = False

_excepthook_before: Callable[..., object] | None = None
_FINALIZE_LAST = -100  # after what a child of multiprocessing does itself at its end


def opened(scope: Endable) -> None:
    """Note a scope that no other open scope will end."""
    _open[id(scope)] = scope


def closed(scope: Endable) -> None:
    _open.pop(id(scope), None)


def finish_with(finish: Callable[[], object], flush: Callable[[], object]) -> None:
    """Say what ends the telemetry of this process, and what only sends; both within a deadline."""
    global _finish, _flush
    _finish, _flush = finish, flush


def arm(*, handle_sigterm: bool) -> None:
    """Prepare for every end; called by each `configure()`, from any thread."""
    _take_excepthook()
    _take_sigterm(is_wanted=handle_sigterm)
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _finalize_child()


@atexit.register
def at_exit() -> None:
    """End what is open as cancelled, and send what waits."""
    global _is_finishing  # noqa: PLW0603 - as above
    if _is_finishing:
        return
    _is_finishing = True
    try:
        _end_open(ProcessEnded("the process ended"))
        if _finish is not None:
            faults.guarded(_finish)()
    finally:
        _is_finishing = False
    if _was_told_to_end:
        _end_by_signal()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let SIGTERM wait until what is done inside is done: a flush that the program itself began."""
    global _is_finishing  # noqa: PLW0603 - as above
    if _is_finishing or threading.current_thread() is not threading.main_thread():
        yield
        return
    _is_finishing = True
    try:
        yield
    finally:
        _is_finishing = False
    if _was_told_to_end:
        at_exit()


def _end_open(error: BaseException) -> None:
    """End every open scope, the innermost first."""
    for reference in reversed(_open.valuerefs()):
        scope = reference()
        if scope is not None:
            faults.guarded(scope.close)(error)


def _take_excepthook() -> None:
    global _excepthook_before
    # Once: a hook of the user's that calls ours must not be called by ours.
    if _excepthook_before is None:
        _excepthook_before, sys.excepthook = sys.excepthook, _excepthook


def _excepthook(
    kind: type[BaseException], error: BaseException, trace_back: TracebackType | None
) -> Any:
    _end_open(error)
    if _excepthook_before is not None:
        _excepthook_before(kind, error, trace_back)


def _take_sigterm(*, is_wanted: bool) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    found = signal.getsignal(signal.SIGTERM)
    # Not the main interpreter, or no such signal here: then it is not ours to take.
    with contextlib.suppress(ValueError, OSError):
        if is_wanted and found is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _on_sigterm)
        elif not is_wanted and found is _on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _on_sigterm(_number: int, _frame: FrameType | None) -> None:
    global _was_told_to_end  # noqa: PLW0603 - as above
    if os.getpid() == 1:
        if _flush is not None:
            faults.guarded(_flush)()
    elif _was_told_to_end:  # twice: at once
        _end_by_signal()
    else:
        _was_told_to_end = True
        at_exit()  # where that is under way already, it ends by the signal once it is done


def _end_by_signal() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _finalize_child() -> None:
    """Have a child of multiprocessing do at its end what `atexit` does elsewhere."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, at_exit, exitpriority=_FINALIZE_LAST)


def _in_child() -> None:
    global _is_finishing, _was_told_to_end  # noqa: PLW0603 - as above
    _is_finishing = _was_told_to_end = False
    _open.clear()
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # A child of multiprocessing forgets all finalizers first, and then runs what is told here.
        util.register_after_fork(_in_child, lambda _: _finalize_child())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
