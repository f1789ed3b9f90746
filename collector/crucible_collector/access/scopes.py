"""What each route takes: a key's scope, and how a key for some experiments only is held to them.

One table, in which the first line that fits decides; what no line is about takes a key for admin, and a key
for some experiments does not get there at all. A test holds every route of the API against it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from crucible_collector.access.principal import Scope

# How a key with an experiment prefix is held to it:
# free    there is nothing of any experiment in the answer, or the route sees to it itself
# named   every experiment, run, series, period, scan and job that is named is of those, and one is named
# several likewise, and a question may name several with commas between
# body    likewise, in the body's own fields
# refused the answer cannot be limited
Within = Literal["free", "named", "several", "body", "refused"]

_ANY = "GET|POST|PUT|PATCH|DELETE"
_CHANGE = "POST|PUT|PATCH|DELETE"
# methods, path (a name in braces is a part, ** the rest, if any), scope, within
_TABLE: tuple[tuple[str, str, Scope | None, Within], ...] = (
    # Files of the page and what probes ask need no key; neither does who is about to give one.
    ("GET", "/", None, "free"),
    ("GET", "/docs", None, "free"),
    ("GET", "/openapi.json", None, "free"),
    ("GET", "/assets/**", None, "free"),
    ("GET", "/healthz", None, "free"),
    ("GET", "/readyz", None, "free"),
    ("POST|DELETE", "/api/v1/session", None, "free"),
    ("GET", "/metrics", "read", "refused"),
    ("POST", "/api/v1/telemetry/events", "ingest", "free"),
    ("GET", "/api/v1/session", "read", "free"),
    ("GET", "/api/v1/schema/**", "read", "free"),
    ("GET", "/api/v1/experiments", "read", "free"),  # lists only those
    ("POST", "/api/v1/experiments", "write", "body"),
    ("GET", "/api/v1/experiments/{experiment}/**", "read", "named"),
    (_CHANGE, "/api/v1/experiments/{experiment}/**", "write", "named"),
    ("GET", "/api/v1/runs", "read", "free"),  # lists only those
    ("GET", "/api/v1/runs/{run}/**", "read", "named"),
    ("GET", "/api/v1/series", "read", "named"),
    ("GET", "/api/v1/series/{series}/**", "read", "named"),
    ("GET", "/api/v1/events/**", "read", "named"),
    ("GET", "/api/v1/logs", "read", "named"),
    ("GET", "/api/v1/aggregate", "read", "several"),
    ("GET", "/api/v1/histograms/**", "read", "named"),
    ("GET", "/api/v1/checkpoints", "read", "named"),
    ("GET", "/api/v1/models/**", "read", "named"),
    ("GET", "/api/v1/reliability", "read", "named"),
    ("GET", "/api/v1/curves", "read", "several"),
    ("GET", "/api/v1/live", "read", "several"),
    ("GET", "/api/v1/cost/prices/**", "read", "free"),
    ("PUT", "/api/v1/cost/prices", "admin", "refused"),
    ("GET", "/api/v1/cost/budgets", "read", "refused"),
    ("PUT|DELETE", "/api/v1/cost/budgets", "admin", "refused"),
    ("GET", "/api/v1/cost/budgets/{experiment}", "read", "named"),
    ("PUT|DELETE", "/api/v1/cost/budgets/{experiment}", "write", "named"),
    ("GET", "/api/v1/cost/recompute/**", "read", "refused"),
    ("POST|DELETE", "/api/v1/cost/recompute/**", "admin", "refused"),
    ("GET", "/api/v1/cost/models", "read", "refused"),
    ("GET", "/api/v1/cost/**", "read", "named"),
    ("GET", "/api/v1/exports", "read", "refused"),
    ("POST", "/api/v1/exports", "write", "body"),
    ("GET", "/api/v1/exports/{job}/**", "read", "named"),
    (_CHANGE, "/api/v1/exports/{job}/**", "write", "named"),
    ("GET", "/api/v1/traces/**", "read", "refused"),
    ("GET", "/api/v1/correlations/**", "read", "refused"),
    ("GET", "/api/v1/ledger", "read", "refused"),
    ("GET", "/api/v1/doctor", "read", "refused"),
    ("GET", "/api/v1/anomalies/scan", "read", "refused"),
    ("GET", "/api/v1/anomalies/scan/{scan}", "read", "named"),
    ("POST", "/api/v1/anomalies/scan", "write", "body"),
    ("DELETE", "/api/v1/anomalies/scan/{scan}", "write", "named"),
    ("GET", "/api/v1/anomalies/periods/{period}", "read", "named"),
    ("POST", "/api/v1/anomalies/periods/{period}/state", "write", "named"),
    ("GET", "/api/v1/anomalies/settings/**", "read", "refused"),
    ("PUT", "/api/v1/anomalies/settings", "admin", "refused"),
    ("GET", "/api/v1/anomalies/**", "read", "named"),
    ("GET", "/api/v1/sampling/**", "read", "refused"),
    ("POST", "/api/v1/sampling/simulate", "read", "body"),
    ("PUT", "/api/v1/sampling", "admin", "refused"),
    ("POST", "/api/v1/compare", "read", "free"),  # asks for runs of those only
    (_ANY, "/api/v1/keys/**", "admin", "refused"),
    ("GET", "/api/v1/audit", "admin", "refused"),
    ("GET", "/api/v1/archives/**", "read", "refused"),
    ("POST", "/api/v1/archives/**", "admin", "refused"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table; `scope` None: no key is needed."""

    methods: frozenset[str]
    path: re.Pattern[str]
    scope: Scope | None
    within: Within
    is_listed: bool = True


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the table says of one request, and what its path names, unescaped."""

    rule: Rule
    named: tuple[tuple[str, str], ...] = ()


def _rule(methods: str, path: str, scope: Scope | None, within: Within) -> Rule:
    pattern = "".join(
        r"(?:/.*)?"
        if part == "**"
        else rf"/(?P<{part[1:-1]}>[^/]+)"
        if part[:1] == "{"
        else f"/{re.escape(part)}"
        for part in path.split("/")[1:]
    )
    return Rule(frozenset(methods.split("|")), re.compile(pattern), scope, within)


RULES = tuple(_rule(*line) for line in _TABLE)
UNLISTED = Rule(frozenset(), re.compile(""), "admin", "refused", is_listed=False)


def rule_of(method: str, path: str) -> Ruled:
    """What a request takes; `path` as it was sent, still escaped."""
    asked = "GET" if method in {"HEAD", "OPTIONS"} else method
    for rule in RULES:
        match = rule.path.fullmatch(path) if asked in rule.methods else None
        if match:
            named = tuple((name, unquote(text)) for name, text in match.groupdict().items())
            return Ruled(rule, named)
    return Ruled(UNLISTED)


def is_change(ruled: Ruled, method: str) -> bool:
    """Whether a request that succeeds belongs into the audit."""
    return ruled.rule.scope in {"write", "admin"} and method not in {"GET", "HEAD", "OPTIONS"}
