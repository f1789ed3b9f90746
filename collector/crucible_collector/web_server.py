"""One ASGI application on uvicorn, in a thread and an event loop of its own.

The receiver and the API each have one, so that a slow query never holds up an acknowledgement. The
socket is bound by the caller's thread before the server starts: an address in use is an exception
where the settings are known, and port 0 has its number before anything is printed.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

START_TIMEOUT_S = 30.0
# Past the server's own patience with open requests; a thread that still runs is left behind as a
# daemon rather than holding up the end of the process.
STOP_MARGIN_S = 5.0


class WebServer:
    """Runs `app` until stopped. Owner: the service, which starts and stops it in its order."""

    def __init__(
        self,
        app: Any,
        *,
        name: str,
        stop_grace_s: int = 5,
        on_stop: Callable[[], None] | None = None,
        tls: ssl.SSLContext | None = None,
        **settings: Any,
    ) -> None:
        """`on_stop` ends answers that have no end; `settings` go to uvicorn.Config as they are.

        `tls` makes it HTTPS.
        """
        self._tls = tls
        self._on_stop = on_stop
        self._stop_grace_s = stop_grace_s
        self._settings = settings
        self._app = app
        self._name = name
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self, host: str, port: int) -> tuple[str, int]:
        """Bind and serve; returns the bound address. OSError if the address cannot be bound."""
        bound = _bind(host, port)
        config = uvicorn.Config(
            self._app,
            **{
                "http": "httptools",
                "loop": "asyncio",
                "ws": "none",
                "lifespan": "off",
                "log_config": None,
                "log_level": "warning",
                "access_log": False,
                "server_header": False,
                "proxy_headers": False,
                "timeout_graceful_shutdown": self._stop_grace_s,
                **self._settings,
            },
        )
        self._server = uvicorn.Server(config)
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._server, bound, started), name=self._name, daemon=True
        )
        self._thread.start()
        if not started.wait(START_TIMEOUT_S) or self._failure is not None:
            raise RuntimeError(f"the {self._name} server did not start") from self._failure
        address = bound.getsockname()
        return str(address[0]), int(address[1])

    def stop(self) -> None:
        """Stop accepting, let open requests finish within the grace, end the thread."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        if self._on_stop is not None:
            self._on_stop()
        self._thread.join(self._stop_grace_s + STOP_MARGIN_S)
        self._server = self._thread = None

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, server: uvicorn.Server, bound: socket.socket, started: threading.Event) -> None:
        startup = server.startup

        async def startup_then_tell(sockets: list[socket.socket] | None = None) -> None:
            await startup(sockets)
            started.set()

        # uvicorn has a flag to poll but no event to wait for.
        server.startup = startup_then_tell  # type: ignore[method-assign]
        try:
            server.config.load()
            server.config.ssl = self._tls  # uvicorn would make one of files, which it reads once
            server.run(sockets=[bound])
        except BaseException as error:  # noqa: BLE001 - a thread's end: kept for whoever waits
            self._failure = error
        finally:
            bound.close()
            started.set()


def _bind(host: str, port: int) -> socket.socket:
    """A listening socket's first half, for IPv4 and IPv6 literals and names alike."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
