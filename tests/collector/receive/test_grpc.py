"""What only gRPC can get wrong: methods, framing, slow and broken calls, memory while waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest

from collector.receive.conftest import StartReceiver
from collector.receive.otlp import good_request, request_of_bytes
from collector.receive.receivers import METHOD_OF, Receiver
from crucible_collector.batch import Signal
from crucible_collector.receive import Limits
from crucible_collector.receive.grpc_server import GrpcServer

TRACES = METHOD_OF[Signal.TRACES]
BODY = good_request(Signal.TRACES).SerializeToString()


def unary(
    channel: grpc.Channel, method: str = TRACES
) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method, None, None)
    return call


def client_stream(channel: grpc.Channel) -> grpc.StreamUnaryMultiCallable[bytes, bytes]:
    """What a client of gRPC's own may do although the method is unary."""
    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(TRACES, None, None)
    return call


def code_of(error: BaseException) -> grpc.StatusCode:
    assert isinstance(error, grpc.RpcError)
    code: grpc.StatusCode = error.code()
    return code


@pytest.mark.parametrize(
    "method",
    ["/opentelemetry.proto.collector.trace.v1.TraceService/Import", "/other.Service/Export", "/x"],
)
def test_an_unknown_method_is_unimplemented(receiver: Receiver, method: str) -> None:
    with (
        grpc.insecure_channel(receiver.grpc_address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        unary(channel, method)(b"", timeout=5)
    assert code_of(caught.value) is grpc.StatusCode.UNIMPLEMENTED


def test_another_compression_is_unimplemented(receiver: Receiver) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        receiver.call(BODY * 50, compression=grpc.Compression.Deflate)
    assert code_of(caught.value) is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_gzip_does_not_shorten_comes_as_it_is(receiver: Receiver) -> None:
    """gRPC then leaves it uncompressed, within a call that says gzip."""
    since = receiver.mark()
    receiver.call(BODY[:0], compression=grpc.Compression.Gzip)
    receiver.call(BODY, compression=grpc.Compression.Gzip)
    (entry,) = receiver.entries(since)
    assert entry.body == BODY


def test_a_call_without_a_message_is_refused(receiver: Receiver) -> None:
    with (
        grpc.insecure_channel(receiver.grpc_address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        client_stream(channel)(iter(()), timeout=5)
    assert code_of(caught.value) is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_that_grpc_itself_refuses_is_not_taken_for_bad_data(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(limits=Limits(body_bytes_max=50_000))
    for _ in range(10):
        with pytest.raises(grpc.RpcError) as caught:
            receiver.call(request_of_bytes(50_001))
        assert code_of(caught.value) is grpc.StatusCode.RESOURCE_EXHAUSTED
    receiver.mark()
    assert all(entry.refused == {} for entry in receiver.entries())


def test_a_body_that_does_not_arrive_is_given_up(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(body_timeout_s=0.2)
    never = threading.Event()

    def no_message() -> Iterator[bytes]:
        never.wait(30)
        return
        yield b""

    with grpc.insecure_channel(receiver.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            client_stream(channel)(no_message(), timeout=20)
        never.set()
    assert code_of(caught.value) is grpc.StatusCode.CANCELLED
    assert receiver.call(BODY) == b""


def test_a_client_that_hangs_up_while_waiting_leaves_nothing_behind(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(bytes_in_flight_max=1 << 20, patience_s=5)
    with receiver.intake.admission.enter(1 << 20):
        with pytest.raises(grpc.RpcError) as caught:
            receiver.call(BODY, timeout_s=0.1)
        assert code_of(caught.value) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert receiver.call(BODY) == b""


def test_calls_that_wait_for_a_thread_lose_their_patience_too(
    start_receiver: StartReceiver,
) -> None:
    """Far more calls than threads: the last are refused as soon as the first.

    Were patience counted from when a thread takes a call, the last would wait for 12 s.
    """
    receiver = start_receiver(bytes_in_flight_max=1 << 20, patience_s=2)
    with (
        grpc.insecure_channel(receiver.grpc_address) as channel,
        receiver.intake.admission.enter(1 << 20),
    ):
        export = unary(channel)
        calls = [export.future(BODY, timeout=10) for _ in range(200)]
        codes = {call.code() for call in calls}
    assert codes == {grpc.StatusCode.UNAVAILABLE}


def test_an_address_in_use_cannot_be_shared(receiver: Receiver) -> None:
    port = int(receiver.grpc_address.rpartition(":")[2])
    second = GrpcServer(receiver.intake)
    with pytest.raises(OSError, match=str(port)):
        second.start("127.0.0.1", port)
    assert not second.is_alive()


def test_a_call_in_progress_is_finished_when_the_server_stops(
    start_receiver: StartReceiver,
) -> None:
    receiver = start_receiver(bytes_in_flight_max=1 << 20, patience_s=10)
    server = GrpcServer(receiver.intake)
    host, port = server.start("127.0.0.1", 0)
    ticket = receiver.intake.admission.enter(1 << 20)
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        call = unary(channel).future(BODY, timeout=10)
        while not receiver.intake.admission._waiting:
            assert not call.done()
        stopping = threading.Thread(target=server.stop, args=(10,))
        stopping.start()
        ticket.close()
        assert call.result() == b""
        stopping.join(10)
    assert not server.is_alive()
    assert len(receiver.entries()) == 1
