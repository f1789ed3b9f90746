"""The thread that serves an application: it starts on a known address and ends in order."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import httpx
import pytest

from crucible_collector.web_server import WebServer


class Slow:
    """Answers when it is let; says when it was asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.asked.set()
        await asyncio.to_thread(self.may_answer.wait)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"answered"})


def test_port_zero_is_known_once_it_is_started() -> None:
    app = Slow()
    app.may_answer.set()
    server = WebServer(app, name="test", stop_grace_s=1)
    host, port = server.start("127.0.0.1", 0)
    assert port > 0
    assert httpx.get(f"http://{host}:{port}").text == "answered"
    server.stop()


def test_an_address_in_use_is_an_error_where_it_was_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            WebServer(Slow(), name="test").start("127.0.0.1", port)


def test_an_application_that_cannot_start_is_an_error_where_it_was_asked_for() -> None:
    server = WebServer(Slow(), name="test", http="no-such-protocol")
    with pytest.raises(RuntimeError, match="the test server did not start"):
        server.start("127.0.0.1", 0)
    assert not server.is_alive()


def test_a_request_in_hand_is_answered_before_the_end() -> None:
    app = Slow()
    server = WebServer(app, name="test", stop_grace_s=20)
    host, port = server.start("127.0.0.1", 0)
    answers: list[str] = []
    client = threading.Thread(
        target=lambda: answers.append(httpx.get(f"http://{host}:{port}", timeout=30).text)
    )
    client.start()
    assert app.asked.wait(30)
    stopper = threading.Thread(target=server.stop)
    stopper.start()
    app.may_answer.set()
    client.join(30)
    stopper.join(30)
    assert answers == ["answered"]
    assert not server.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{host}:{port}")


def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    server = WebServer(Slow(), name="test", stop_grace_s=1)
    server.stop()
    server.start("127.0.0.1", 0)
    server.stop()
    server.stop()
    assert not server.is_alive()
