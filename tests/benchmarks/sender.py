"""A client in a process of its own, so that it shares no interpreter lock with what it measures.

It takes a `Job` as JSON in its argument, says `ready` when its requests are made, sends when it is
told `go`, and prints what it `Sent` as its last line. Latencies count from when a request was due,
not from when a late client came round to sending it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import grpc
import numpy as np
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from benchmarks.inferences import Inferences
from benchmarks.workload import SPANS, Workload

KINDS: dict[str, type[Workload | Inferences]] = {"training": Workload, "inference": Inferences}
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RETRYABLE_CODES = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
RETRYABLE_STATUSES = {429, 502, 503, 504}
RETRY_AFTER_S = 0.5  # where the server does not say
TIMEOUT_S = 120.0
_MS = 1_000.0


@dataclass(frozen=True)
class Job:
    """What to send where. Lines `stored N` on standard input hold a job with `ahead_max` back."""

    url: str  # grpc://host:port or http://host:port/path
    run_count: int
    seed: int
    request_count: int
    start_ns: int
    in_flight: int = 16
    requests_per_s: float | None = None  # None: as fast as it is taken
    duration_s: float | None = None  # send no more after this
    prepared: bool = True  # made before the clock starts; else each as it is sent, ending now
    tell_every: int | None = None  # say `acknowledged INDEX AT` for every so many requests
    ahead_max: int | None = None  # spans acknowledged but not stored
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "training"  # which of KINDS the requests are


@dataclass(frozen=True)
class Sent:
    """Times are of the monotonic clock, which is one for all processes of a machine."""

    acknowledged_requests: int
    retries: int
    first_send_s: float
    last_acknowledged_s: float
    latency_p50_ms: float
    latency_p99_ms: float
    latency_max_ms: float

    @property
    def spans(self) -> int:
        return self.acknowledged_requests * SPANS

    @property
    def spans_per_s(self) -> float:
        return self.spans / (self.last_acknowledged_s - self.first_send_s)


class BusyError(Exception):
    """The server asks to come back in `after_s`."""

    def __init__(self, after_s: float) -> None:
        super().__init__(after_s)
        self.after_s = after_s


def _sending(job: Job) -> Callable[[], Callable[[bytes], None]]:
    """Makes, for each thread, what sends one body and returns once it is acknowledged whole."""
    target = urlsplit(job.url)
    if target.scheme == "grpc":
        channel = grpc.insecure_channel(target.netloc)
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        return lambda: lambda body: _send_grpc(call, body)

    def connected() -> Callable[[bytes], None]:
        connection = http.client.HTTPConnection(target.netloc, timeout=TIMEOUT_S)
        return lambda body: _send_http(connection, target.path, job.headers, body)

    return connected


def _send_grpc(call: grpc.UnaryUnaryMultiCallable[bytes, bytes], body: bytes) -> None:
    try:
        answer = call(body, timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        if error.code() in RETRYABLE_CODES:
            raise BusyError(_retry_after_s(error)) from error
        raise
    _hold_against(answer)


def _retry_after_s(error: grpc.RpcError) -> float:
    for each in error.trailing_metadata() or ():
        if each.key == "google.rpc.retryinfo-bin":
            info = RetryInfo.FromString(each.value)
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return RETRY_AFTER_S


def _send_http(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str], body: bytes
) -> None:
    connection.request("POST", path, body, {"Content-Type": "application/x-protobuf", **headers})
    response = connection.getresponse()
    answer = response.read()
    if response.status in RETRYABLE_STATUSES:
        raise BusyError(float(response.getheader("Retry-After") or RETRY_AFTER_S))
    if response.status != http.client.OK:
        raise RuntimeError(f"{response.status}: {answer[:500]!r}")
    _hold_against(answer)


def _hold_against(answer: bytes) -> None:
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    if partial.rejected_spans:
        raise RuntimeError(f"{partial.rejected_spans} spans refused: {partial.error_message}")


class Sender:
    """Threads that take the next request each, until there are none or time is up."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._workload = KINDS[job.kind](job.run_count, job.seed, job.start_ns)
        self._workload.prepare()
        count = job.request_count if job.prepared else 0
        self._bodies = [self._workload.body(index) for index in range(count)]
        self._next = itertools.count()
        self._lock = threading.Lock()
        self._stored = threading.Condition()
        self._stored_spans = 0
        self._latencies_s: list[float] = []
        self._retries = 0
        self._failed = threading.Event()
        self._last_s = 0.0

    def hear(self) -> None:
        """Take in what the other side says: the body of a thread."""
        for line in sys.stdin:
            word, _, number = line.partition(" ")
            if word == "stored":
                with self._stored:
                    self._stored_spans = int(number)
                    self._stored.notify_all()

    def run(self) -> Sent:
        sending = _sending(self._job)
        first_s = time.monotonic()
        with ThreadPoolExecutor(self._job.in_flight) as pool:
            workers = [
                pool.submit(self._work, sending(), first_s) for _ in range(self._job.in_flight)
            ]
            for worker in workers:
                worker.result()
        latencies_ms = np.array(self._latencies_s) * _MS
        p50, p99 = np.percentile(latencies_ms, (50, 99)).tolist()
        return Sent(
            len(latencies_ms), self._retries, first_s, self._last_s, p50, p99, latencies_ms.max()
        )

    def _work(self, send: Callable[[bytes], None], first_s: float) -> None:
        try:
            while (index := next(self._next)) < self._job.request_count:
                due_s = self._wait_turn(index, first_s)
                if due_s is None:
                    return
                self._send(send, index)
                self._note(index, due_s)
        except BaseException:
            self._failed.set()
            raise

    def _wait_turn(self, index: int, first_s: float) -> float | None:
        """When the request is due; None if no more are to be sent."""
        job = self._job
        due_s = time.monotonic()
        if job.requests_per_s is not None:
            due_s = first_s + index / job.requests_per_s
            time.sleep(max(0.0, due_s - time.monotonic()))
        if job.ahead_max is not None:
            allowed = (index + 1) * SPANS - job.ahead_max
            with self._stored:
                if not self._stored.wait_for(lambda: self._stored_spans >= allowed, TIMEOUT_S):
                    raise TimeoutError(f"{self._stored_spans} spans stored and no more")
            due_s = time.monotonic()
        is_late = job.duration_s is not None and due_s - first_s >= job.duration_s
        return None if is_late or self._failed.is_set() else due_s

    def _send(self, send: Callable[[bytes], None], index: int) -> None:
        if self._bodies:
            body = self._bodies[index]
        else:
            body = self._workload.body(index, now_ns=time.time_ns())
        while True:
            try:
                send(body)
            except BusyError as busy:
                with self._lock:
                    self._retries += 1
                time.sleep(busy.after_s)
            else:
                return

    def _note(self, index: int, due_s: float) -> None:
        now_s = time.monotonic()
        with self._lock:
            self._latencies_s.append(now_s - due_s)
            self._last_s = max(self._last_s, now_s)
            if self._job.tell_every is not None and index % self._job.tell_every == 0:
                print("acknowledged", index, now_s, flush=True)


def main() -> None:
    """Be the process that `client.Client` starts."""
    sender = Sender(Job(**json.loads(sys.argv[1])))
    print("ready", flush=True)
    if sys.stdin.readline() != "go\n":
        return
    threading.Thread(target=sender.hear, daemon=True).start()
    print("sent", json.dumps(asdict(sender.run())), flush=True)


if __name__ == "__main__":
    main()
