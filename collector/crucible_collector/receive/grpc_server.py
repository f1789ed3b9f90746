"""OTLP over gRPC: the three Export methods, as bytes in and bytes out.

What a reader could not guess: the methods are unary to their clients and registered as
client-streaming here. A unary handler gets its message read before it runs; a streaming one asks for
it, so that a request waits for admission with its body still on the other side. grpcio's own limit
of concurrent calls stays unset, since it refuses without RetryInfo.

gRPC marks a compressed message in its framing, which Python does not show. No protobuf message
begins with gzip's magic, though (it would be a field of wire type 7), so that tells.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import grpc

from crucible_collector import metrics
from crucible_collector.access.guard import Admitted, Guard
from crucible_collector.batch import Signal
from crucible_collector.errors import MalformedError, RefusedError
from crucible_collector.receive import answers
from crucible_collector.receive.admission import BodyEstimate
from crucible_collector.receive.inflate import MAGIC
from crucible_collector.receive.intake import BODY_TIMEOUT_S, Intake, Request

log = logging.getLogger("crucible.receive.grpc")

METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
}

# Each waits for a body, for its check or for the disk, one after another; with a sync of 5 ms they
# make 6,000 requests a second.
_THREADS = 32

# As many requests of one connection are looked at together; the others wait at the sender.
_STREAMS_MAX = 256

# What a sender may push before anybody asks for it: more than a stock batch (170 kB), which so
# arrives in one round trip. gRPC's own estimate of the path opens that window by megabytes a
# connection: 64 waiting requests of 16 MiB then cost 1 GB instead of 200 MB. The price is paid by
# large bodies over long ways: 16 MiB at a round trip of 50 ms take 0.9 s instead of 0.3.
_UNASKED_BYTES_MAX = 256 << 10

_END_TIMEOUT_S = 0.5

_GZIP_AND_NONE = 0b101  # bits of grpc_compression_algorithm


class _Abort(Exception):  # noqa: N818 - a result that unwinds, not an error
    """An answer that is no success."""

    def __init__(self, code: grpc.StatusCode, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after_s = code, message, retry_after_s


class _GoneError(Exception):
    """The call is over without our doing: nobody is left to be told."""


class GrpcServer:
    """Owner: the service, which starts it last of the receivers' parts and stops it first."""

    def __init__(
        self,
        intake: Intake,
        *,
        guard: Guard | None = None,
        credentials: grpc.ServerCredentials | None = None,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        """`guard` lets senders in; None: everybody. `credentials` are TLS's; None: in the clear."""
        self._intake = intake
        self._guard = guard
        self._credentials = credentials
        self._estimate = BodyEstimate(intake.admission.bytes_max)
        self._slow = _SlowBodies(body_timeout_s)
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None

    def start(self, host: str, port: int) -> tuple[str, int]:
        """Serve; returns the bound address (port 0: any). OSError if it cannot be bound."""
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="receive-grpc")
        server = grpc.server(
            pool,
            handlers=[_Handlers(self._export)],
            options=(
                ("grpc.max_receive_message_length", self._intake.limits.body_bytes_max),
                ("grpc.max_concurrent_streams", _STREAMS_MAX),
                ("grpc.per_message_decompression", 0),  # see receive.inflate
                ("grpc.compression_enabled_algorithms_bitset", _GZIP_AND_NONE),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", _UNASKED_BYTES_MAX),
                ("grpc.so_reuseport", 0),  # a second collector must fail, not share
            ),
        )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if self._credentials is None:
                bound_port = server.add_insecure_port(address)
            else:
                bound_port = server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise OSError(f"{address} cannot be bound") from error
        server.start()
        self._slow.start()
        self._server, self._pool = server, pool
        return host, bound_port

    def stop(self, grace_s: float) -> None:
        """Refuse new requests, let those in progress finish within the grace, end the threads."""
        if self._server is None or self._pool is None:
            return
        self._server.stop(grace_s).wait()
        self._slow.stop()
        self._pool.shutdown(wait=True)
        self._server = self._pool = None

    def is_alive(self) -> bool:
        return self._server is not None

    def _export(
        self,
        signal: Signal,
        arrived_s: float,
        bodies: Iterator[bytes],
        context: grpc.ServicerContext,
    ) -> bytes:
        try:
            return self._answered(signal, arrived_s, bodies, context)
        except _Abort as abort:
            context.set_trailing_metadata(
                answers.trailers(abort.code, abort.message, abort.retry_after_s)
            )
            context.abort(abort.code, abort.message)

    def _answered(
        self,
        signal: Signal,
        arrived_s: float,
        bodies: Iterator[bytes],
        context: grpc.ServicerContext,
    ) -> bytes:
        """The response of a success; raises _Abort for everything else that can be answered."""
        outcome = "error"
        try:
            answer = self._accept(signal, arrived_s, bodies, context)
        except RefusedError as error:
            self._intake.refuse(signal, error)
            outcome = error.reason
            code = answers.refusal(error).grpc_code
            raise _Abort(code, str(error), answers.retry_after(error)) from None
        except _GoneError:
            outcome = "gone"
            return b""
        except grpc.RpcError:  # raised by the iterator, and known to gRPC
            outcome = "gone"
            raise
        except Exception as error:
            metrics.UNCAUGHT_ERRORS.labels("grpc").inc()
            log.exception("a request failed")
            raise _Abort(grpc.StatusCode.INTERNAL, "the collector failed", None) from error
        else:
            outcome = answer.outcome
            return answers.success(answer)
        finally:
            metrics.REQUESTS.labels("grpc", signal.label, outcome).inc()

    def _accept(
        self,
        signal: Signal,
        arrived_s: float,
        bodies: Iterator[bytes],
        context: grpc.ServicerContext,
    ) -> answers.Answer:
        sender = self._admitted(context)
        with self._intake.admission.enter(self._estimate.bytes, arrived_s=arrived_s) as ticket:
            with self._slow.watching(context):
                body = next(bodies, None)
            received_s = time.monotonic()
            if body is None:
                raise _GoneError if _ends(context) else MalformedError("the call has no message")
            self._estimate.observe(len(body))
            ticket.settle(len(body))
            request = Request(signal, body, ticket, is_gzip=body.startswith(MAGIC), sender=sender)
            answer = self._intake.accept(request)
        metrics.ACKNOWLEDGE_SECONDS.labels("grpc").observe(time.monotonic() - received_s)
        return answer

    def _admitted(self, context: grpc.ServicerContext) -> Admitted | None:
        """Who sends, by the call's metadata: its body is still on the other side."""
        if self._guard is None:
            return None
        header = next(
            (
                value if isinstance(value, str) else value.decode("latin-1")
                for name, value in context.invocation_metadata()
                if name == "authorization"
            ),
            None,
        )
        return self._guard.admit(header, _address(context.peer()), "ingest")


def _address(peer: str) -> str:
    """The IP address in gRPC's name of a peer, such as ipv4:127.0.0.1:4711 or ipv6:[::1]:4711."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]") or peer


def _ends(context: grpc.ServicerContext) -> bool:
    """Whether a call without a message is over, rather than one that never had any.

    gRPC ends a call whose message is over the limit by itself, unread and with the right answer; to
    us it looks like a call without a message until its end is known, some milliseconds later.
    """
    ended = threading.Event()
    return not context.add_callback(ended.set) or ended.wait(_END_TIMEOUT_S)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the method of a call; called at its arrival, before it waits for a thread."""

    def __init__(
        self,
        export: Callable[[Signal, float, Iterator[bytes], grpc.ServicerContext], bytes],
    ) -> None:
        self._export = export

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        signal = METHODS.get(handler_call_details.method)
        if signal is None:
            return None  # UNIMPLEMENTED
        arrived_s = time.monotonic()
        return grpc.stream_unary_rpc_method_handler(
            lambda bodies, context: self._export(signal, arrived_s, bodies, context)
        )


class _SlowBodies:
    """Cancels calls whose body does not arrive: each holds a thread and a share of the budget."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._reading: dict[grpc.ServicerContext, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="receive-grpc-slow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    @contextlib.contextmanager
    def watching(self, context: grpc.ServicerContext) -> Iterator[None]:
        with self._lock:
            self._reading[context] = time.monotonic() + self._timeout_s
        try:
            yield
        finally:
            with self._lock:
                del self._reading[context]

    def _run(self) -> None:
        while not self._stopping.wait(self._timeout_s / 4):
            now_s = time.monotonic()
            with self._lock:
                late = [each for each, deadline_s in self._reading.items() if deadline_s < now_s]
            for context in late:
                context.cancel()
