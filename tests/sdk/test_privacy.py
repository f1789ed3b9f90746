"""What does not leave the process unless somebody asked for it, and what redaction may rely on."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import crucible_telemetry as crucible
from crucible_schema import EVENTS, Requirement
from crucible_schema import events as names
from crucible_telemetry import telemetry
from crucible_telemetry.point import emit_point
from crucible_telemetry.privacy import ATTRIBUTES_MAX, Policy, UserIds
from crucible_telemetry.readings import ConfigurationError
from crucible_telemetry.values import AttributeValue

SECRETS: dict[str, AttributeValue] = {
    "gen_ai.input.messages": "secret",
    "gen_ai.output.messages": "secret",
    "gen_ai.prompt.0.content": "secret",
    "gen_ai.completion": "secret",
    "gen_ai.tool.call.arguments": "secret",
    "llm.input_messages.0.message.content": "secret",
    "input.value": "secret",
    "crucible.attack.original_text": "secret",
    "crucible.attack.attacked_text": "secret",
    "crucible.inference.prompt": "secret",
    "crucible.feedback.content": "secret",
}
USERS: dict[str, AttributeValue] = {
    "user.id": "ada",
    "enduser.id": "ada",
    "crucible.inference.user_id": "ada",
}
PLAIN: dict[str, AttributeValue] = {
    "crucible.model.name": "mlp",
    "gen_ai.request.model": "m",
    "crucible.training.metrics": ["loss"],
    "crucible.measurement.prompt_tokens": 3,
    "gen_ai.usage.input_tokens": 5,
}


def test_contents_and_users_stay_here_unless_asked_for() -> None:
    assert Policy().applied({**SECRETS, **USERS, **PLAIN}) == PLAIN


def test_contents_leave_where_they_are_asked_for() -> None:
    assert Policy(capture_content=True).applied({**SECRETS, **PLAIN}) == {**SECRETS, **PLAIN}


def test_whatever_the_registry_says_is_sent_only_when_asked_for_is_held_back() -> None:
    opt_in = {
        use.attribute.key
        for event in EVENTS.values()
        for use in event.attributes
        if use.requirement is Requirement.OPT_IN
    } - {names.EVENT_ID, names.SUCCESS}  # which say nothing of anybody
    assert {names.GEN_AI_INPUT_MESSAGES, names.FEEDBACK_CONTENT, names.USER_ID} <= opt_in
    hashes = {names.USER_ID_HASH}  # made here, and only where asked for
    assert Policy().applied(dict.fromkeys(opt_in - hashes, "secret")) == {}


def test_users_are_hashed_the_same_way_each_time_and_only_under_the_same_key() -> None:
    policy = Policy(user_ids=UserIds.HASH, user_id_key=b"k")
    digest = hmac.new(b"k", b"ada", hashlib.sha256).hexdigest()
    assert policy.user("ada") == {names.USER_ID_HASH: digest}
    assert policy.applied(USERS) == {names.USER_ID_HASH: digest}
    assert Policy(user_ids=UserIds.HASH).user("ada") != policy.user("ada")
    assert policy.user(None) == {}


def test_users_are_named_where_that_was_asked_for() -> None:
    assert Policy(user_ids=UserIds.PLAIN).user("ada") == {names.USER_ID: "ada"}
    assert Policy().user("ada") == {}


def test_redact_sees_the_items_of_a_list_one_by_one() -> None:
    policy = Policy(redact=lambda _key, text: None if text == "b" else text.upper())
    assert policy.applied({"k": ["a", "b"]}) == {"k": ["A"]}


def exported(run: Any, **settings: Any) -> list[dict[str, Any]]:
    """Attributes of all spans and their events that a run sends."""
    exporter = InMemorySpanExporter()
    crucible.configure(exporter=exporter, **settings)
    run()
    assert crucible.flush()
    spans = exporter.get_finished_spans()
    exceptions = [event.attributes for span in spans for event in span.events]
    return [dict(found or {}) for found in (*(span.attributes for span in spans), *exceptions)]


def train() -> None:
    with crucible.experiment("sweep"), crucible.training(model_name="mlp") as training:
        for epoch in training.epochs(1):
            for batch in epoch.batches("ab"):
                batch.log(loss=0.5)
        training.checkpoint("/home/ada/model.pt")
        emit_point("my_app.seen", {"path": "/home/ada"}, measurements={"n": 1})


def test_redact_sees_every_attribute_but_what_was_measured_or_counted() -> None:
    seen: dict[str, Any] = {}

    def redact(key: str, value: Any) -> Any:
        seen[key] = value
        if key == names.EXPERIMENT_ID:
            return None
        return value.replace("ada", "…") if isinstance(value, str) else value

    sent = exported(train, redact=redact)
    assert {names.RUN_ID, names.CORRELATION_ID, "path", names.EPOCH, "host.name"} <= set(seen)
    assert {names.STEP, names.BATCH_INDEX, "crucible.measurement.loss"}.isdisjoint(seen)
    assert not any(names.EXPERIMENT_ID in attributes for attributes in sent)
    assert "ada" not in str(sent)
    assert any(attributes.get("crucible.measurement.loss") == 0.5 for attributes in sent)
    resource = telemetry.current().resource
    assert resource is not None
    assert "service.name" in resource.attributes


def test_redact_sees_what_an_exception_says() -> None:
    def fail() -> None:
        with pytest.raises(ValueError, match="ada"), crucible.training() as training:
            with training.epoch() as epoch, epoch.batch():
                raise ValueError("password of ada")

    exporter = InMemorySpanExporter()
    crucible.configure(
        exporter=exporter,
        redact=lambda _key, value: value.replace("ada", "…") if isinstance(value, str) else value,
    )
    fail()
    assert crucible.flush()
    failed = [span for span in exporter.get_finished_spans() if span.events]
    assert len(failed) == 3
    for span in failed:
        assert span.status.description == "ValueError: password of …"
        assert (span.attributes or {})[names.ERROR_REASON] == "password of …"
        assert "ada" not in str(span.events[0].attributes)


def test_an_attribute_that_redact_fails_on_does_not_leave_and_is_counted() -> None:
    def redact(key: str, value: Any) -> Any:
        if key == names.RUN_ID:
            raise RuntimeError("oh")
        return value

    sent = exported(train, redact=redact)
    assert not any(names.RUN_ID in attributes for attributes in sent)
    assert any(names.CORRELATION_ID in attributes for attributes in sent)
    assert crucible.counts()["fault.redact"] > 0


def test_redact_may_return_what_is_no_attribute() -> None:
    kept = Policy(redact=lambda _key, _value: {"a": 1}).applied({"k": "v"})
    assert kept == {"k": '{"a":1}'}


def test_long_texts_are_cut_and_long_json_is_left_out() -> None:
    policy = Policy(attribute_bytes_max=10)
    kept = policy.applied({"text": "é" * 50, "json": '{"a": "xxxxxxxxxxxx"}', "short": "é" * 5})
    assert kept == {"text": "éééé"[:3] + "…", "short": "é" * 5}
    assert len(str(kept["text"]).encode()) <= 10
    assert crucible.counts()["fault.too_large"] == 1


def test_long_lists_keep_their_first_items() -> None:
    policy = Policy(attribute_bytes_max=10)
    assert policy.applied({"k": ["aaaa", "bbbb", "cccc"]}) == {"k": ["aaaa", "bbbb"]}
    assert policy.applied({"k": ["x" * 50]}) == {}
    assert crucible.counts()["fault.too_large"] == 2


def test_with_too_many_attributes_the_first_stay_which_say_who_it_was() -> None:
    extra: dict[str, Any] = {f"extra_{index}": index for index in range(400)}

    def crowded() -> None:
        with crucible.training(**extra):
            pass

    sent = exported(crowded)
    assert all(len(attributes) <= ATTRIBUTES_MAX for attributes in sent)
    assert all(names.RUN_ID in attributes for attributes in sent)
    assert crucible.counts()["fault.too_many_attributes"] > 200


def test_a_small_limit_holds_for_batches_too() -> None:
    def many() -> None:
        with crucible.training() as training, training.epoch() as epoch, epoch.batch() as batch:
            batch.log(**{f"m{index}": float(index) for index in range(50)})

    batch = next(each for each in exported(many, attributes_max=20) if names.BATCH_INDEX in each)
    assert len(batch) == 20
    assert {names.RUN_ID, names.STEP, "crucible.measurement.m0"} <= set(batch)


@pytest.mark.parametrize(
    ("name", "value", "captures"),
    [
        ("CRUCIBLE_CAPTURE_CONTENT", "1", True),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true", True),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_and_event", True),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "no_content", False),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "perhaps", False),
    ],
)
def test_the_environment_may_ask_for_contents(
    name: str, value: str, captures: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    crucible.configure(exporter=InMemorySpanExporter())
    assert telemetry.current().policy.capture_content is captures
    crucible.configure(exporter=InMemorySpanExporter(), capture_content=False)
    assert telemetry.current().policy.capture_content is False


def test_the_environment_may_say_how_users_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRUCIBLE_USER_IDS", "hash")
    monkeypatch.setenv("CRUCIBLE_USER_ID_KEY", "k")
    crucible.configure(exporter=InMemorySpanExporter())
    policy = telemetry.current().policy
    assert (policy.user_ids, policy.user_id_key) == (UserIds.HASH, b"k")


@pytest.mark.parametrize("key", [b"k", b"\xff\x00k", "ключ"])
def test_a_key_may_be_any_bytes(key: str | bytes) -> None:
    crucible.configure(exporter=InMemorySpanExporter(), user_ids="hash", user_id_key=key)
    expected = key if isinstance(key, bytes) else key.encode()
    assert telemetry.current().policy.user_id_key == expected


@pytest.mark.parametrize(
    "wrong", [{"user_ids": "sha1"}, {"redact": 3}, {"attributes_max": 0}, {"capture_content": "x"}]
)
def test_wrong_settings_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        crucible.configure(**wrong)


def test_what_redact_returns_can_be_encoded() -> None:
    policy = Policy(redact=lambda _key, _value: "\ud800é")
    assert policy.applied({names.MODEL_NAME: "mlp"}) == {names.MODEL_NAME: "?é"}
