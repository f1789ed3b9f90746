"""Send a span to a running collector as any client would, and ask for it again.

Two spans, in fact, of one trace: one over gRPC and one over HTTP. They stay, as spans of the service
`crucible-collector-doctor`; `--no-canary` sends none. Their tracestate tells the largest randomness there
is, which every sampling rule keeps; where one is about them, they stand for more than themselves.
"""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
from collections.abc import Callable, Iterator

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from crucible_collector.candidates import THRESHOLD_MAX
from crucible_collector.dial import API_KEY, Dial
from crucible_collector.errors import SettingsError
from crucible_collector.findings import Finding
from crucible_collector.settings import Address, Settings, parse_address

SERVICE = "crucible-collector-doctor"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
ASK_TIMEOUT_S = 5.0
VISIBLE_TIMEOUT_S = 15.0
POLL_S = 0.1
KEPT_FOR_SURE = f"ot=rv:{THRESHOLD_MAX - 1:014x}"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not to listen there, to ask there
_MESSAGE_CHARS_MAX = 300
_KEY_REMEDY = f"put an API key for ingest and read, of all experiments, into {API_KEY}"


def check_collector(settings: Settings, *, sends: bool) -> Iterator[Finding]:
    """Yield whether the collector at the settings' addresses is ready and does its work."""
    addresses = {name: _reachable(getattr(settings, name)) for name in ("grpc", "http", "api")}
    free = [name for name, address in addresses.items() if address.port == 0]
    if free:
        says = f"{', '.join(free)}: port 0 is no address to ask"
        remedy = "give the addresses that the running collector prints when it is ready"
        yield Finding("collector", "skipped", says, remedy)
        return
    dial = Dial(settings, ASK_TIMEOUT_S)
    try:
        ready = _ask_ready(dial, addresses["api"])
        yield ready
        if sends and "unreachable" not in ready.facts:
            yield from _canary(dial, addresses)
    except SettingsError as error:
        yield Finding(
            "collector", "wrong", str(error), "see how it is asked over TLS, in the guide"
        )


def _reachable(text: str) -> Address:
    address = parse_address(text)
    return Address(_ANYWHERE.get(address.host, address.host), address.port)


def _ask_ready(dial: Dial, api: Address) -> Finding:
    try:
        dial.get(api, "/readyz")
    except urllib.error.HTTPError as error:
        says = f"the collector at {api} is not ready: {_said(error)}"
        return Finding("collector", "wrong", says, "see its log; what it says here names the part")
    except (OSError, ValueError) as error:
        says = f"no collector answers at {api}: {_reason(error)}"
        remedy = "start one (crucible-collector serve), or give its address with --api"
        return Finding("collector", "wrong", says, remedy, {"unreachable": True})
    return Finding("collector", "ok", f"the collector at {api} is ready")


def _canary(dial: Dial, addresses: dict[str, Address]) -> Iterator[Finding]:
    trace_id = secrets.token_bytes(16)
    ways: dict[str, Callable[[bytes], None]] = {
        "grpc": lambda body: _send_grpc(dial, addresses["grpc"], body),
        "http": lambda body: _send_http(dial, addresses["http"], body),
    }
    began = time.monotonic()
    sent: list[str] = []
    for name, send in ways.items():
        try:
            send(_request(trace_id, name))
        except (OSError, grpc.RpcError) as error:
            says = f"a span over {name} to {addresses[name]} was not taken: {_reason(error)}"
            remedy = f"see the collector's log, and whether --{name} is its address"
            if _wants_key(error):
                remedy = _KEY_REMEDY
            yield Finding("canary", "wrong", says, remedy)
        else:
            sent.append(name)
    acknowledged_s = time.monotonic() - began
    if sent:
        yield _read_back(dial, addresses["api"], trace_id.hex(), sent, acknowledged_s)


def _read_back(
    dial: Dial, api: Address, trace_id: str, sent: list[str], acknowledged_s: float
) -> Finding:
    timeout_s = VISIBLE_TIMEOUT_S + _wait_s(dial, api)
    began = time.monotonic()
    found = 0
    while time.monotonic() - began < timeout_s:
        try:
            found = dial.get(api, f"/api/v1/traces/{trace_id}").count(SERVICE.encode())
        except (OSError, ValueError) as error:
            if _wants_key(error):
                says = f"spans were taken, and {api} does not tell of them: {_reason(error)}"
                return Finding("canary", "wrong", says, _KEY_REMEDY)
            found = 0
        if found >= len(sent):
            visible_s = time.monotonic() - began
            says = (
                f"spans over {' and '.join(sent)} were taken in {acknowledged_s * 1e3:.0f} ms and"
                f" read back after {visible_s * 1e3:.0f}"
            )
            facts = {
                "trace_id": trace_id,
                "acknowledged_s": acknowledged_s,
                "visible_s": visible_s,
            }
            return Finding("canary", "ok", says, facts=facts)
        time.sleep(POLL_S)
    says = f"spans over {' and '.join(sent)} were taken but not found within {timeout_s:.0f} s"
    remedy = (
        "see /readyz and the lag above; with --events-allow or --events-deny they may have been left"
        " out on purpose"
    )
    return Finding("canary", "wrong", says, remedy, {"trace_id": trace_id})


def _wait_s(dial: Dial, api: Address) -> float:
    """How long sampling may have spans wait for the rest of their trace or window; 0 without rules."""
    try:
        rules = dial.get_json(api, "/api/v1/sampling")["data"]["settings"]
        windows = [each.get("window_s", 0.0) for each in rules["rules"]]
        windows += [each.get("otherwise", {}).get("window_s", 0.0) for each in rules["rules"]]
        return float(max(rules["decision_wait_s"], *windows)) if windows else 0.0
    except (OSError, ValueError, KeyError):  # it is told elsewhere that nothing answers
        return 0.0


def _request(trace_id: bytes, way: str) -> bytes:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    service = resource_spans.resource.attributes.add(key="service.name")
    service.value.string_value = SERVICE
    now = time.time_ns()
    resource_spans.scope_spans.add().spans.add(
        trace_id=trace_id,
        span_id=secrets.token_bytes(8),
        name=f"{SERVICE} {way}",
        start_time_unix_nano=now,
        end_time_unix_nano=now,
        trace_state=KEPT_FOR_SURE,
    )
    return request.SerializeToString()


def _send_grpc(dial: Dial, address: Address, body: bytes) -> None:
    with dial.channel(address) as channel:
        export = channel.unary_unary(
            EXPORT,
            request_serializer=bytes,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )
        export(body, timeout=ASK_TIMEOUT_S, metadata=dial.metadata)


def _send_http(dial: Dial, address: Address, body: bytes) -> None:
    dial.post(address, "/v1/traces", body, "application/x-protobuf")


def _wants_key(error: Exception) -> bool:
    """Whether that is what is wrong: no key, one that is not valid, or one for something else."""
    if isinstance(error, grpc.RpcError):
        return error.code() in {
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        }
    return isinstance(error, urllib.error.HTTPError) and error.code in {401, 403}


def _said(error: urllib.error.HTTPError) -> str:
    """What the answer's body says went wrong, else its status."""
    try:
        told = json.loads(error.read())["error"]
        details = {
            name: part["detail"] for name, part in told["details"].items() if not part["is_ready"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{error.code} {error.reason}"
    return f"{told['message']} {details}"[:_MESSAGE_CHARS_MAX]


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.RpcError):
        return f"{error.code().name}: {error.details()}"[:_MESSAGE_CHARS_MAX]
    return str(getattr(error, "reason", None) or error)[:_MESSAGE_CHARS_MAX]
