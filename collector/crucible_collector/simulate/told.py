"""What a simulation found, in lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from crucible_collector.simulate.report import Aggregate, EventOutcome, Outcome, RuleOutcome

_MIB = 1024 * 1024
_EVENTS_TOLD_MAX = 20
_HEADS = {
    "count": "count",
    "error_count": "errors",
    "duration_total_ms": "duration",
    "duration_mean_ms": "mean",
    "p50_ms": "p50",
    "p90_ms": "p90",
    "p99_ms": "p99",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "cost_usd": "cost",
}
_EXPLAINED = (
    "Errors are of the estimate against what is stored; ± is the standard error that the answer would",
    "have told, and ! marks, about once in 20, one whose 95 % interval would have missed what is stored.",
)


def lines(outcome: Outcome) -> Iterator[str]:
    """The outcome, line by line."""
    yield from _about(outcome)
    if not outcome.span_count + outcome.log_count:
        return
    yield ""
    yield from _table(_rules(outcome))
    if outcome.events:
        yield ""
        yield from _table(_events(outcome.events[: _EVENTS_TOLD_MAX + 1]))
        yield ""
        yield from _EXPLAINED


def _about(outcome: Outcome) -> Iterator[str]:
    period = (
        f"from {outcome.from_time:%Y-%m-%d %H:%M:%S} to {outcome.to_time:%Y-%m-%d %H:%M:%S} UTC"
    )
    of = f" of experiment {outcome.experiment}" if outcome.experiment is not None else ""
    if not outcome.span_count + outcome.log_count:
        yield f"nothing{of} is stored {period}"
        return
    yield (
        f"{outcome.span_count:,} spans and {outcome.log_count:,} log records{of} {period},"
        f" replayed in {outcome.took_s:.1f} s"
    )
    if not outcome.is_complete:
        until = outcome.until_time or outcome.from_time
        yield f"stopped early, at what ended by {until:%Y-%m-%d %H:%M:%S}: {outcome.stopped_because}"
    if outcome.thinned_count:
        yield (
            f"{outcome.thinned_count:,} of these were stored with p < 1: they weigh as much as they"
            " stand for, and rates and budgets were judged by what is left of them"
        )
    if outcome.experiment is not None:
        yield "rates and budgets were judged by this experiment alone"
    if outcome.decided_early_count:
        yield (
            f"{outcome.decided_early_count:,} records were decided before all that the rules wait for"
            " was seen: there were too many to hold"
        )


def _rules(outcome: Outcome) -> Iterator[Sequence[str]]:
    yield ("rule", "signal", "seen", "kept", "", "MiB kept", "", "most rows/s seen", "kept")
    for rule in outcome.rules:
        yield _rule(rule, "(no rule)" if rule.rule is None else rule.rule)
    for total in outcome.totals:
        if total.seen_count:
            yield _rule(total, "all")


def _rule(rule: RuleOutcome, name: str) -> Sequence[str]:
    return (
        name,
        rule.signal,
        f"{rule.seen_count:,}",
        f"{rule.kept_count:,}",
        _share(rule.kept_count, rule.seen_count),
        f"{rule.kept_bytes / _MIB:,.1f}",
        _share(rule.kept_bytes, rule.seen_bytes),
        f"{rule.seen_per_s_max:,}",
        f"{rule.kept_per_s_max:,}",
    )


def _events(events: Iterable[EventOutcome]) -> Iterator[Sequence[str]]:
    yield ("event", "kept", *_HEADS.values())
    for event in events:
        name = "all events" if event.event is None else event.event
        few = "" if event.interval_reliable else " (few)"
        found = {each.name: each for each in event.aggregates}
        told = [found[name] for name in _HEADS]
        share = _share(event.kept_count, event.seen_count)
        yield (f"{name}{few}", share, *map(_off, told))
        expected = tuple(map(_expected, told))
        if any(expected):
            yield ("", "", *expected)


def _off(aggregate: Aggregate) -> str:
    if aggregate.stored is None:
        return "-"
    if aggregate.estimate is None:
        return "nothing"
    if _is_exact(aggregate):
        return "exact"
    missed = "!" if aggregate.covers is False else ""
    if aggregate.relative_error is None:
        return f"{aggregate.estimate:.3g}{missed}"
    return f"{_percent(aggregate.relative_error, sign='+')}{missed}"


def _is_exact(aggregate: Aggregate) -> bool:
    """What is only right by chance has an interval around it."""
    return aggregate.low is not None and aggregate.low == aggregate.high


def _expected(aggregate: Aggregate) -> str:
    if aggregate.stored is None or aggregate.estimate is None or _is_exact(aggregate):
        return ""
    if aggregate.relative_standard_error is None:
        return "± ?"
    return f"±{_percent(aggregate.relative_standard_error)}"


def _share(part: int, whole: int) -> str:
    return _percent(part / whole) if whole else ""


def _percent(share: float, sign: str = "") -> str:
    percent = 100 * share
    digits = 0 if abs(percent) >= 99.95 else 1 if abs(percent) >= 9.995 else 2
    return f"{percent:{sign}.{digits}f}%"


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns in their widths: the first to the left, numbers to the right."""
    found = list(rows)
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    for row in found:
        first, *rest = (
            f"{cell:{'<' if place == 0 else '>'}{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join((first, *rest)).rstrip()
