"""OTLP over gRPC, as bytes.

What a reader could not guess: the channel connects by itself and would wait up to two minutes
between attempts and half a minute between look-ups of a name; a collector that is back shall be
reached within two seconds. And gRPC shares connections, with their waiting times, between all
channels of a process unless told not to.

A process that is forked in the middle of a call has a child that gRPC aborts once it makes a call of
its own (`ev_epoll1_linux.cc`, "Check failed"): seen in 3 of 150 forks of a busy process. So a fork
waits for the call, and breaks off one that takes long.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from crucible_telemetry.destination import Destination
from crucible_telemetry.transport import (
    RETRY_AFTER_S_MAX,
    Kind,
    Outcome,
    Parcel,
    Spans,
    outcome_of_answer,
    pack_encoded,
)

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}

_OPTIONS = (
    ("grpc.primary_user_agent", "crucible-telemetry"),
    ("grpc.enable_retries", 0),  # `delivery` tries again, and counts
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),  # also how long one attempt to connect may take
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),
)

_COMPRESSIONS = {
    "none": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}

# The specification's table. RESOURCE_EXHAUSTED is in it only where the server says when.
_RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


_FORK_WAIT_S = 0.1  # of a call that is under way; one takes 1 to 6 ms on one machine
_BREAK_OFF_S = 0.5


class GrpcSender:
    """One channel a destination, so one altogether unless the signals go to different places."""

    pack = staticmethod(pack_encoded)

    def __init__(self, destinations: Mapping[str, Destination]) -> None:
        self._destinations = destinations
        self._calling = threading.Lock()  # held during a call, and while the process forks
        self._is_closed = False
        self._open()
        _senders.add(self)

    def send(self, parcel: Parcel) -> Outcome:
        if isinstance(parcel, Spans):
            raise TypeError("spans are packed before they are sent")
        with self._calling:
            if self._is_broken_off and not self._is_closed:
                self._open()
            try:
                return outcome_of_answer(self._exports[parcel.signal](parcel.body))
            except grpc.RpcError as error:
                return _outcome(error)
            except ValueError as error:  # the channel was closed meanwhile
                return Outcome(Kind.RETRY, str(error))

    def close(self) -> None:
        self._is_closed = True
        self._close_channels()

    def pause(self) -> bool:
        """Let no call begin until `resume()`; False where one that is under way cannot be ended."""
        if self._calling.acquire(timeout=_FORK_WAIT_S):
            return True
        self._is_broken_off = True
        self._close_channels()
        return self._calling.acquire(timeout=_BREAK_OFF_S)

    def resume(self) -> None:
        self._calling.release()

    def _open(self) -> None:
        self._is_broken_off = False
        self._channels: dict[tuple[object, ...], grpc.Channel] = {}
        self._exports = {
            signal: self._export(destination, _METHODS[signal])
            for signal, destination in self._destinations.items()
        }

    def _close_channels(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def _export(self, destination: Destination, method: str) -> Callable[[bytes], bytes]:
        call: Callable[..., bytes] = self._channel(destination).unary_unary(method)
        compression = _COMPRESSIONS[destination.compression]

        def export(body: bytes) -> bytes:
            return call(
                body,
                timeout=destination.timeout_s,
                metadata=destination.headers,
                compression=compression,
            )

        return export

    def _channel(self, destination: Destination) -> grpc.Channel:
        key = (
            destination.endpoint,
            destination.is_secure,
            destination.certificate,
            destination.client_certificate,
            destination.client_key,
        )
        if key not in self._channels:
            self._channels[key] = _channel(destination)
        return self._channels[key]


def _channel(destination: Destination) -> grpc.Channel:
    if not destination.is_secure:
        return grpc.insecure_channel(destination.endpoint, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_content(destination.certificate),
        private_key=_content(destination.client_key),
        certificate_chain=_content(destination.client_certificate),
    )
    return grpc.secure_channel(destination.endpoint, credentials, options=_OPTIONS)


def _content(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _outcome(error: Any) -> Outcome:
    code: grpc.StatusCode = error.code()
    message = f"{code.name}: {error.details()}"
    retry_after_s = _retry_after_s(error.trailing_metadata() or ())
    is_retryable = code in _RETRYABLE or (
        code is grpc.StatusCode.RESOURCE_EXHAUSTED and retry_after_s is not None
    )
    return Outcome(Kind.RETRY if is_retryable else Kind.REFUSED, message, retry_after_s)


def _retry_after_s(trailers: Any) -> float | None:
    """Find a RetryInfo in the status details, or in the trailer that some servers put it into."""
    found = dict(trailers)
    info = RetryInfo()
    try:
        if "grpc-status-details-bin" in found:
            status = Status.FromString(found["grpc-status-details-bin"])
            if any(detail.Unpack(info) for detail in status.details):
                return _seconds(info)
        if "google.rpc.retryinfo-bin" in found:
            return _seconds(RetryInfo.FromString(found["google.rpc.retryinfo-bin"]))
    except Exception:  # noqa: BLE001 - a trailer that is no such message says nothing
        return None
    return None


def _seconds(info: RetryInfo) -> float:
    seconds = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    return float(min(max(seconds, 0.0), RETRY_AFTER_S_MAX))


_senders: weakref.WeakSet[GrpcSender] = weakref.WeakSet()
_paused = threading.local()  # by the thread that forks; several may at a time


def _before_fork() -> None:
    _paused.senders = [sender for sender in list(_senders) if sender.pause()]


def _after_fork() -> None:
    for sender in getattr(_paused, "senders", ()):
        sender.resume()


def _in_child() -> None:
    _senders.clear()  # the child makes its own; what was inherited is not touched again


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
