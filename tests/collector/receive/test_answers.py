"""Every refusal has its words on both transports, and only overload asks the sender to come back."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from crucible_collector.errors import OverloadedError, RefusedError
from crucible_collector.receive import answers

# By the OTLP specification; RESOURCE_EXHAUSTED only with RetryInfo.
RETRYABLE_HTTP = {429, 502, 503, 504}
RETRYABLE_GRPC = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


def kinds(parent: type[RefusedError] = RefusedError) -> Iterator[type[RefusedError]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds()))
def test_both_transports_agree_on_who_may_come_back(kind: type[RefusedError]) -> None:
    error = kind("why")
    said = answers.refusal(error)
    is_retryable = issubclass(kind, OverloadedError)
    assert (said.http_status in RETRYABLE_HTTP) == is_retryable
    # With RetryInfo, as this one then has; without, clients give up.
    may_be = said.grpc_code is grpc.StatusCode.RESOURCE_EXHAUSTED and is_retryable
    assert (said.grpc_code in RETRYABLE_GRPC or may_be) == is_retryable
    assert (answers.retry_after(error) is not None) == is_retryable


@pytest.mark.parametrize(
    ("delay_s", "header"), [(0.2, b"1"), (1.0, b"1"), (1.2, b"2"), (2.0, b"2")]
)
def test_a_delay_is_exact_over_grpc_and_rounded_up_over_http(delay_s: float, header: bytes) -> None:
    assert answers.retry_after_header(delay_s) == header
    info = RetryInfo()
    info.CopyFrom(answers.retry_info(delay_s))
    assert info.retry_delay.seconds + info.retry_delay.nanos / 1e9 == delay_s
