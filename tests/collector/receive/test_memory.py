"""Hostile and heavy requests cost bounded memory: measured on a receiver in its own process."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest

from collector.receive.otlp import span, text, traces
from collector.receive.receivers import JSON, METHOD_OF, PROTOBUF
from crucible_collector.batch import Signal

MIB = 1 << 20
TRACES = METHOD_OF[Signal.TRACES]

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc"
)

SERVE = """
import logging, sys
from pathlib import Path
from collector.receive.receivers import running_receiver
from crucible_collector import decode
decode.warm_up(logging.getLogger())
with running_receiver(Path(sys.argv[1])) as receiver:
    print(receiver.grpc_address, receiver.http_url, flush=True)
    sys.stdin.read()
"""


@dataclass
class Served:
    pid: int
    grpc_address: str
    http_url: str

    def status_mib(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) / 1024
        raise AssertionError(name)

    @contextmanager
    def growth_below(self, mib: float) -> Iterator[None]:
        """The peak of the resident memory within stays so little above what it was before."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # VmHWM starts over
        before_mib = self.status_mib("VmRSS")
        yield
        grown_mib = self.status_mib("VmHWM") - before_mib
        print(f"grew by {grown_mib:.0f} MiB at its peak (of {mib} allowed)")
        assert grown_mib < mib

    def call(self, body: bytes, compression: grpc.Compression) -> grpc.StatusCode:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(self.grpc_address, options) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                TRACES, None, None
            )
            try:
                export(body, timeout=60, compression=compression)
            except grpc.RpcError as error:
                return error.code()
        return grpc.StatusCode.OK

    def post(self, body: bytes, content_type: str = PROTOBUF, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            self.http_url + "/v1/traces",
            content=body,
            headers={"content-type": content_type, **named},
            timeout=60,
        ).status_code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("memory")
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(directory / "journal")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    ) as process:
        assert process.stdout is not None
        grpc_address, http_url = process.stdout.readline().split()
        found = Served(process.pid, grpc_address, http_url)
        found.call(small_request(), grpc.Compression.NoCompression)
        found.post(small_request())
        yield found
        process.communicate("", timeout=30)


def small_request() -> bytes:
    return traces(span()).SerializeToString()


def large_request(mib: int) -> bytes:
    """Spans of 64 KiB each."""
    filler = text("filler", "x" * (64 << 10))
    return traces(*(span(attributes=[filler]) for _ in range(mib * 16 - 1))).SerializeToString()


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_gzip_bomb_costs_what_a_body_may(served: Served, transport: str) -> None:
    content = bytes(256 * MIB)
    with served.growth_below(150):
        if transport == "grpc":
            found = served.call(content, grpc.Compression.Gzip)
            assert found is grpc.StatusCode.RESOURCE_EXHAUSTED
        else:
            bomb = gzip.compress(content, 1)
            assert served.post(bomb, content_encoding="gzip") == 413


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_large_requests_at_once_wait_outside(served: Served, transport: str) -> None:
    body = large_request(8)  # 384 MiB of them together

    def send(_: int) -> bool:
        if transport == "grpc":
            found = served.call(body, grpc.Compression.NoCompression)
            return found is grpc.StatusCode.OK or found is grpc.StatusCode.UNAVAILABLE
        return served.post(body) in (200, 503)

    with served.growth_below(200), ThreadPoolExecutor(48) as pool:
        assert all(pool.map(send, range(48)))


def test_json_costs_a_bounded_multiple_of_itself(served: Served) -> None:
    one = {"name": "n", "traceId": "ab" * 16, "spanId": "cd" * 8}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one] * 100_000}]}]}).encode()
    assert len(body) > 8 * MIB
    with served.growth_below(350):
        assert served.post(body, JSON) == 200


def test_json_of_many_values_is_refused_before_it_is_read(served: Served) -> None:
    for filler in (b"[],", b'{"a":{}},', b"1e5,", b'"",'):
        body = b'{"x":[' + filler * (24 * MIB // len(filler)) + b"0]}"
        with served.growth_below(150):
            assert served.post(body, JSON) == 413


def test_what_is_announced_too_large_costs_nothing(served: Served) -> None:
    with served.growth_below(20):
        assert served.post(bytes(100 * MIB)) == 413
