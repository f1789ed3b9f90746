"""One call of a model: who answered, how long it took, what it used, how fast the answer came.

    with crucible.inference("gpt-4o", provider="openai", operation="chat") as call:
        call.respond(client.chat.completions.create(...))

What a reader could not guess: a call is a span of the trace around it, except directly inside an
experiment, where each begins a trace of its own: an experiment may last for days, and traces are
what sampling keeps or leaves. Prompts and answers are measured, in bytes, and sent only where
`configure(capture_content=True)` asked for it; everything else about privacy happens where
attributes leave (`privacy`).
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, overload

from opentelemetry.trace import Link

from crucible_schema import events as names
from crucible_telemetry import fields, messages, responses, streaming, telemetry, values
from crucible_telemetry.answer import Answer
from crucible_telemetry.decoration import Call, DecoratingScope
from crucible_telemetry.experiment import Experiment
from crucible_telemetry.faults import guarded
from crucible_telemetry.outcome import FAILED, outcome
from crucible_telemetry.pace import Pace
from crucible_telemetry.responses import Reading
from crucible_telemetry.scope import (
    Scope,
    current_scope,
    innermost_open,
    link_to_current_span,
    surrounding,
)
from crucible_telemetry.streaming import EitherWay

T = TypeVar("T")

STOP, EXCEPTION = (
    names.CRUCIBLE_DEPLOYMENT_INFERENCE_STOP,
    "crucible_deployment.inference.exception",
)


@dataclass(frozen=True, slots=True)
class Request:
    """What `inference()` was told, kept for the many calls of a decorated function."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    start_marker: bool = False

    def begin(self) -> Inference:
        return Inference(surrounding(), self)


class Inference(DecoratingScope):
    """An open call; `inference()` makes it. Methods may be called in any order, or not at all.

    In front of a function, each call of it, or each stream that a generator function makes, is an
    inference; what it returns or yields is read as `respond` and `stream` do. Inside,
    `current_inference()` is the call.
    """

    span_name: ClassVar[str] = "crucible_deployment.inference"
    has_own_trace: ClassVar[bool] = False
    has_start_marker: ClassVar[bool] = False

    def __init__(self, parent: Scope | None, request: Request) -> None:
        super().__init__(parent)
        self._request = request
        self._is_off = self._telemetry.tracer is None  # then nothing is even read
        self._answer = Answer(keeps_text=self._telemetry.policy.capture_content)
        self._pace = Pace(self._telemetry.clock.monotonic_ns)
        self._was_left = False  # a stream was closed before its end
        self._prepare()

    @guarded
    def _prepare(self) -> None:
        if not self._is_off:
            self._set_correlation(self._request.correlation_id)
        self.describe(**self._request.metadata)

    def open(self) -> None:
        if self._is_off:
            telemetry.remind()
        else:
            super().open()

    # What a caller tells.

    def describe(self, **metadata: Any) -> None:
        """Add what is known only later; takes what `inference()` takes."""
        self._describe_fields(metadata)

    @guarded
    def usage(
        self,
        response: Any = None,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        cache_creation_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        cost_usd: float | None = None,
    ) -> None:
        """Tell what the call used: as numbers, or as a response or a usage that knows them.

        cached_tokens and cache_creation_tokens: part of the input tokens. reasoning_tokens: part of
        the output tokens. The last number told of each counts.
        """
        if self._is_off:
            return
        if response is not None:
            self._answer.use(responses.read_usage(response))
        self._answer.use(
            {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cached_tokens": cached_tokens,
                "cache_creation_tokens": cache_creation_tokens,
                "reasoning_tokens": reasoning_tokens,
                "cost_usd": cost_usd,
            }
        )

    @guarded
    def input(self, content: Any) -> None:
        """Tell what is asked: a text, messages (`role`, `content`), bytes or an array.

        Its size in bytes is sent; what it says only if content is asked for.
        """
        if self._is_off:
            return
        size = messages.size_bytes(content)
        if size is not None:
            self._record({"input_size": size})
        is_text = isinstance(content, str | Mapping | list | tuple)
        if is_text and self._telemetry.policy.capture_content:
            self._describe_fields({"input_messages": messages.as_messages(content)})

    @guarded
    def respond(
        self,
        response: Any = None,
        *,
        text: str | None = None,
        finish_reason: str | None = None,
        response_model: str | None = None,
        response_id: str | None = None,
        output_size: int | None = None,
        http_status: int | None = None,
    ) -> None:
        """Tell what was answered: a client's response object or mapping, or its parts by name.

        output_size: in bytes; that of the text unless given.
        """
        if self._is_off:
            return
        if response is not None:
            self._answer.replace(responses.read(response))
        reasons = (str(finish_reason),) if finish_reason else ()
        self._answer.replace(
            Reading(
                model=response_model, id=response_id, finish_reasons=reasons, text=str(text or "")
            )
        )
        if output_size is not None:
            self._answer.resize(output_size)
        if http_status is not None:
            self._describe(names.HTTP_RESPONSE_STATUS_CODE, values.whole(http_status))

    @guarded
    def first_token(self) -> None:
        """Tell that the answer begins, now. Later calls change nothing."""
        self._pace.first()

    @guarded
    def token(self, n: int = 1) -> None:
        """Count tokens that have just come; the first is also the answer's first."""
        self._pace.tokens(values.whole(n))

    # What streams tell.

    @overload  # a source for both kinds of loops is one for each of them, too
    def stream(  # type: ignore[overload-overlap]
        self, source: EitherWay[T], *, tokens: Callable[[T], int] | None = None
    ) -> EitherWay[T]: ...

    @overload
    def stream(
        self, source: Iterable[T], *, tokens: Callable[[T], int] | None = None
    ) -> Iterator[T]: ...

    @overload
    def stream(
        self, source: AsyncIterable[T], *, tokens: Callable[[T], int] | None = None
    ) -> AsyncIterator[T]: ...

    def stream(self, source: Any, *, tokens: Callable[[Any], int] | None = None) -> Any:
        """Yield the pieces of a streamed answer as they come, noting when, and what they say.

        source: what a client returned; where it is asynchronous, so is what comes back. tokens: how
        many a piece holds; else each piece that holds any of the answer counts as one.
        """
        return streaming.followed(self, source, tokens)

    @guarded
    def chunk(self, piece: Any, tokens: int | None = None) -> None:
        """Take in a piece of a streamed answer, which has just come; `stream()` does it for you.

        tokens: how many it holds; else it counts as one, if it holds any of the answer.
        """
        if self._is_off:
            return
        reading = responses.read(piece)
        self._answer.add(reading)
        if tokens is not None:
            self.token(tokens)
        elif reading.is_output:
            self._pace.chunk()

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why the answer ended, as far as it has said so."""
        return self._answer.finish_reasons

    def leave(self) -> None:
        """Tell that nobody wants the rest of the answer: cancelled, unless its end has come."""
        self._was_left = True

    @guarded
    def _describe_fields(self, metadata: Mapping[str, Any]) -> None:
        if not self._is_off:
            self._attributes.update(fields.attributes(STOP, metadata))

    # The life of the span.

    def _for_call(self, call: Call) -> Inference:  # noqa: ARG002
        return self._request.begin()

    def _returned(self, result: Any) -> None:
        self.respond(result)

    def _yielded(self, item: Any) -> None:
        self.chunk(item)

    def _left(self) -> None:
        self.leave()

    def _starts_trace(self) -> bool:
        return isinstance(self._parent, Experiment)

    def _links(self) -> Sequence[Link]:
        around = self._parent._span if self._parent is not None and self._starts_trace() else None
        users = link_to_current_span() if self._parent is None else ()
        return users if around is None else (Link(around.get_span_context()),)

    def _begin(self) -> None:
        self._correlate()
        if self._request.start_marker:
            attributes = {**self._inherited, **self._attributes}
            self._emit(f"{self.span_name}.start", self._start_ns, self._start_ns, attributes)

    def _finish(self, error: BaseException | None) -> None:
        self._exit_context()
        self._describe_fields(self._answer.metadata())
        reported = self._answer.usage.get("output_tokens")
        if self._pace.token_count and reported is None:
            self._attributes[names.GEN_AI_USAGE_OUTPUT_TOKENS] = self._pace.token_count
        self._record(self._pace.speeds(self._start_monotonic_ns, reported))
        if error is not None and names.HTTP_RESPONSE_STATUS_CODE not in self._attributes:
            self._describe(names.HTTP_RESPONSE_STATUS_CODE, responses.http_status(error))

    def _status(self, error: BaseException | None) -> str | None:
        if error is not None:
            return "error" if outcome(error) == FAILED else "cancelled"
        return "cancelled" if self._was_left and not self.finish_reasons else None


def inference(
    model_name: str | None = None,
    *,
    provider: str | None = None,
    operation: str | None = None,
    model_version: str | float | None = None,
    deployment_id: str | None = None,
    request_id: str | None = None,
    user_id: str | None = None,
    correlation_id: str | None = None,
    start_marker: bool = False,
    **metadata: Any,
) -> Inference:
    """Return a call of a model, to be used with `with`, or as a decorator.

    operation: what OpenTelemetry calls it: "chat", "text_completion", "embeddings", …
    start_marker: also tell of the call when it begins; worth it where calls last for minutes.
    user_id: sent as `configure(user_ids=…)` says, by default not at all.
    metadata: the registry's other fields, e.g. target, environment, traffic_percent, batch_size,
    session_id, temperature, max_tokens, top_p; other names are sent as they are.
    """
    known = {
        "model_name": model_name,
        "request_model": model_name,
        "provider": provider,
        "operation": operation,
        "model_version": model_version,
        "deployment_id": deployment_id,
        "request_id": request_id,
        "user_id": user_id,
    }
    return Request({**known, **metadata}, correlation_id, start_marker).begin()


def current_inference() -> Inference:
    """Return the call that this code is part of; outside of one, one that goes nowhere."""
    scope = innermost_open(current_scope.get())
    while scope is not None and not isinstance(scope, Inference):
        scope = scope.parent
    return Inference(None, Request()) if scope is None else scope
