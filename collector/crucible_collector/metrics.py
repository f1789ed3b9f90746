"""What the collector counts about itself; `GET /metrics` prints it in the Prometheus text format.

One module, so that the names can be read in one place. Labels are few and bounded: signal, reason,
transport, stage. The delivery ledger is not here but in the database; `service` adds it at
scrape time, and sets the gauges that say how the journal and the pipeline are.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "crucible_requests",
    "Requests answered, by transport (grpc, http, bridge: events posted to the API), signal and outcome (ok, partial, malformed, too_large, overloaded, unsupported, unauthenticated, forbidden, rate_limited, error; gone: ended by the client, or by gRPC for a message over the limit).",
    ("transport", "signal", "outcome"),
    registry=REGISTRY,
)
RECEIVED_RECORDS = Counter(
    "crucible_received_records",
    "Records in acknowledged requests, refused ones included.",
    ("signal",),
    registry=REGISTRY,
)
ACCESS_REFUSED = Counter(
    "crucible_access_refused",
    "Requests turned away at the door, by listener (grpc, http, api) and reason (unauthenticated, forbidden, rate_limited, overloaded: the keys could not be read).",
    ("listener", "reason"),
    registry=REGISTRY,
)
REFUSED_RECORDS = Counter(
    "crucible_refused_records",
    "Records refused by the check, by reason.",
    ("signal", "reason"),
    registry=REGISTRY,
)
REQUEST_BYTES = Counter(
    "crucible_request_bytes", "Body bytes after decompression.", ("signal",), registry=REGISTRY
)
ACKNOWLEDGE_SECONDS = Histogram(
    "crucible_acknowledge_seconds",
    "From a request's last byte to its answer, the sync of the journal included.",
    ("transport",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
BYTES_IN_FLIGHT = Gauge(
    "crucible_bytes_in_flight", "Request bytes admitted and not yet answered.", registry=REGISTRY
)
UNCAUGHT_ERRORS = Counter(
    "crucible_uncaught_errors",
    "Exceptions that reached an outermost loop: each is a defect worth reporting.",
    ("loop",),
    registry=REGISTRY,
)
JOURNAL_BYTES = Gauge(
    "crucible_journal_bytes", "Journal bytes not yet committed to the database.", registry=REGISTRY
)
JOURNAL_DISK_BYTES = Gauge(
    "crucible_journal_disk_bytes", "Size of the journal's files on disk.", registry=REGISTRY
)
JOURNAL_SYNCS = Counter(
    "crucible_journal_syncs", "Group commits of the journal.", registry=REGISTRY
)
JOURNAL_SYNC_SECONDS = Histogram(
    "crucible_journal_sync_seconds",
    "Duration of one write and fdatasync.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
    registry=REGISTRY,
)
JOURNAL_DAMAGED_RECORDS = Counter(
    "crucible_journal_damaged_records",
    "Journal records found torn or corrupt and set aside.",
    ("kind",),
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "crucible_dead_letters",
    "Records the database refused for good.",
    ("signal",),
    registry=REGISTRY,
)
DROPPED_DEAD_LETTERS = Counter(
    "crucible_dropped_dead_letters",
    "Requests with refused records that found no room among the dead letters.",
    registry=REGISTRY,
)
REVERSED_SPANS = Counter(
    "crucible_reversed_spans",
    "Spans that ended before they began: stored with duration 0.",
    registry=REGISTRY,
)
UNPRICED_SPANS = Counter(
    "crucible_unpriced_spans",
    "Calls of language models that have no cost, since nobody told one and no price is known for the model (of many models the first hundred, then other).",
    ("model",),
    registry=REGISTRY,
)
UNPRICED_TOKENS = Counter(
    "crucible_unpriced_tokens",
    "Tokens of these, of prompts and answers.",
    ("model",),
    registry=REGISTRY,
)
UNKNOWN_EVENT_RECORDS = Counter(
    "crucible_unknown_event_records",
    "Stored records that call themselves an event, by crucible.event.name or a package of the registry's, and that the registry does not know.",
    ("signal",),
    registry=REGISTRY,
)
FOREIGN_RECORDS = Counter(
    "crucible_foreign_records",
    "Stored spans and named log records of other instrumentation, of which the registry has nothing to say.",
    ("signal",),
    registry=REGISTRY,
)
WINDOW_SECONDS = Histogram(
    "crucible_window_seconds",
    "Time that one window spends in a stage (prepare, write).",
    ("stage",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
WINDOWS = Counter(
    "crucible_windows",
    "Windows by outcome: committed, retried (database away), restarted (position moved by another transaction), halved (database refused rows).",
    ("outcome",),
    registry=REGISTRY,
)
STORED_ROWS = Counter(
    "crucible_stored_rows", "Rows committed, by relation.", ("relation",), registry=REGISTRY
)
DUPLICATE_REQUESTS = Counter(
    "crucible_duplicate_requests", "Requests recognised as resent.", registry=REGISTRY
)
STALLED_RUNS = Counter(
    "crucible_stalled_runs",
    "Runs that promised heartbeats, fell silent and were declared stalled by this collector.",
    registry=REGISTRY,
)
ALERTS = Counter(
    "crucible_alerts",
    "Alerts by webhook and outcome of an attempt: sent, failed (to be tried again), refused (by the receiver, for good), late (given up after give_up_after_s), silenced, unannounced (the end of a period whose beginning was not sent), unknown (the settings have no such webhook any more).",
    ("webhook", "outcome"),
    registry=REGISTRY,
)
WAITING_ALERTS = Gauge(
    "crucible_waiting_alerts",
    "Alerts in the outbox that have neither arrived nor been given up, by webhook, over all collectors.",
    ("webhook",),
    registry=REGISTRY,
)
OLDEST_ALERT_SECONDS = Gauge(
    "crucible_oldest_alert_seconds",
    "Age of the oldest of these.",
    ("webhook",),
    registry=REGISTRY,
)
ANOMALIES = Counter(
    "crucible_anomalies",
    "Flagged values that were stored, by severity (info, warning, critical); of many that follow each other only the first and the worst.",
    ("severity",),
    registry=REGISTRY,
)
ANOMALY_PERIODS = Counter(
    "crucible_anomaly_periods",
    "Periods of anomalies that this collector opened, or resolved (outcome: opened, resolved).",
    ("outcome",),
    registry=REGISTRY,
)
ALERTS_QUEUED = Counter(
    "crucible_alerts_queued",
    "Alerts that this collector put into the outbox (kind: firing, resolved).",
    ("kind",),
    registry=REGISTRY,
)
LAG_SECONDS = Gauge(
    "crucible_lag_seconds",
    "Time since the receipt of the newest request in the database; 0 while nothing waits.",
    registry=REGISTRY,
)
DATABASE_UP = Gauge(
    "crucible_database_up", "1 while the writer's last transaction succeeded.", registry=REGISTRY
)
EVICTED_KEYS = Counter(
    "crucible_evicted_keys",
    "Remembered ids of dimensions let go to stay within bounds.",
    ("relation",),
    registry=REGISTRY,
)
