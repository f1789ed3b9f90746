"""The columns that travel through the pipeline: what one window of the journal decodes into.

Nothing here is an object per span. A window is one byte buffer (the journal's own bytes, several
OTLP requests one after another) and arrays that say where in it each thing lies.

Conventions, everywhere:

- `offset` is int64 into `buffer`; `length` is int32, and **length -1 means absent** (offset 0 then).
- Times are int64 nanoseconds since the Unix epoch; 0 means the sender gave none.
- Ids of spans are int64 with the 8 bytes of the wire read big-endian (two's complement), so that
  `id & (2**64 - 1)` printed as 16 hex digits is what a person knows.
- Rows keep the order of the wire: request by request, record by record.
"""

from __future__ import annotations

import enum
import itertools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import crucible_schema

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


class Signal(enum.IntEnum):
    """What a request carries. The numbers are in the journal: never renumber."""

    TRACES = 1
    METRICS = 2
    LOGS = 3

    @property
    def label(self) -> str:
        """The word for it in the ledger and in metrics: the record, in the plural."""
        return {1: "spans", 2: "data_points", 3: "log_records"}[int(self)]


class Reason(enum.IntEnum):
    """Why one record was refused. The numbers are in the journal: never renumber."""

    INVALID_TRACE_ID = 1  # not 16 bytes, or all zero (spans); neither 0 nor 16 bytes (logs)
    INVALID_SPAN_ID = 2  # not 8 bytes, or all zero (spans); neither 0 nor 8 bytes (logs, parents)
    TIME_OUT_OF_RANGE = 3  # outside the accepted window around the receipt
    TEXT_TOO_LONG = 4  # an indexed text over its limit
    NUMBER_OUT_OF_RANGE = 5  # an enum or integer that its column cannot hold
    RECORD_TOO_LARGE = 6  # the record's bytes over the limit
    EMPTY_METRIC = 7  # a metric without a name, or a data point of no known kind
    REFUSED_BY_DATABASE = 8  # set aside as a dead letter after PostgreSQL refused it for good
    CORRUPT = 9  # its journal record was damaged after the acknowledgement
    # A request refused whole counts as one record: nobody can say how many it held.
    MALFORMED_REQUEST = 10
    REQUEST_TOO_LARGE = 11
    INVALID_EVENT = 12  # of the bridge: no event, or not to be made one
    FOREIGN_EXPERIMENT = (
        13  # the sender's key is for experiments whose id begins otherwise, and their runs
    )

    @property
    def label(self) -> str:
        return self.name.lower()


class TextRef(NamedTuple):
    """Byte strings inside the window's buffer, one a row. Not yet checked to be UTF-8."""

    offset: I64
    length: I32  # -1: absent


class AttributeKind(enum.IntEnum):
    """Which member of OTLP's AnyValue is set."""

    EMPTY = 0
    STRING = 1
    BOOL = 2
    INT = 3
    DOUBLE = 4
    ARRAY = 5
    KVLIST = 6
    BYTES = 7


# The attribute keys that become columns or decide something, and the others that each is also found
# under, the one that counts most first. The decoder finds them while it walks:
# `slots[row, SLOT[key]]` is the index of that attribute in the table, or -1.
_KEYS = (
    "crucible.experiment.id",
    "crucible.run.id",
    "crucible.run.parent_id",
    "crucible.condition",
    "crucible.correlation.id",
    "crucible.event.name",
    "crucible.step",
    "crucible.epoch",
    "crucible.rank",
    "crucible.experiment.name",
    "crucible.status",
    "crucible.model.name",
    "gen_ai.response.model",
    "gen_ai.request.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.provider.name",
    "gen_ai.operation.name",
    "openinference.span.kind",
    "crucible.measurement.cost_usd",
    "service.name",
)
SPELLINGS: dict[str, tuple[str, ...]] = {key: crucible_schema.spellings(key) for key in _KEYS}
SLOT_KEYS: tuple[str, ...] = tuple(dict.fromkeys(itertools.chain(*SPELLINGS.values())))
SLOT: dict[str, int] = {key: index for index, key in enumerate(SLOT_KEYS)}

# Slots stored in a column of their own and therefore left out of the attributes' JSON, when (and
# only when) their value has this kind: nothing is stored twice and nothing is lost.
LIFTED: dict[str, AttributeKind] = {
    "crucible.experiment.id": AttributeKind.STRING,
    "crucible.run.id": AttributeKind.STRING,
    "crucible.condition": AttributeKind.STRING,
    "crucible.correlation.id": AttributeKind.STRING,
    "crucible.step": AttributeKind.INT,
    "crucible.epoch": AttributeKind.INT,
}

# A numeric span attribute with one of these prefixes is a measurement. The rest of its key is its name,
# but where the prefix is another producer's, the whole key is.
MEASUREMENT_PREFIX = crucible_schema.MEASUREMENT_PREFIX
MEASUREMENT_PREFIXES: tuple[str, ...] = crucible_schema.MEASUREMENT_PREFIXES


@dataclass(slots=True)
class Attributes:
    """Every attribute of the window, in wire order; rows own slices `start[row]:start[row + 1]`."""

    key: TextRef
    kind: U8  # AttributeKind
    number: I64  # INT: value; BOOL: 0 or 1; DOUBLE: its IEEE 754 bits; else 0
    value: TextRef  # STRING, BYTES: the content; ARRAY, KVLIST: the encoded inner message


@dataclass(slots=True)
class Resources:
    """The Resource messages of the window, one row each occurrence (not yet made distinct)."""

    request: I32  # index of the request in the window
    attribute_start: I64  # (rows + 1): slice of the attribute table
    slots: I32  # (rows, len(SLOT_KEYS)) attribute index or -1
    schema_url: TextRef
    dropped_attributes_count: I64


@dataclass(slots=True)
class Scopes:
    """The InstrumentationScope messages of the window, one row each occurrence."""

    resource: I32
    name: TextRef
    version: TextRef
    attribute_start: I64
    schema_url: TextRef
    dropped_attributes_count: I64


@dataclass(slots=True)
class Measurements:
    """Numeric attributes whose key begins with one of MEASUREMENT_PREFIXES, in row order."""

    row: I32  # the span's row
    name: TextRef  # the key after MEASUREMENT_PREFIX, all of it after another
    value: F64  # ints converted; NaN and infinities as they are


@dataclass(slots=True)
class Records:
    """What spans, data points and log records have in common."""

    buffer: U8
    request: I32  # (rows) index of the request in the window
    index: I32  # (rows) index of the record within its request
    size: I32  # (rows) encoded bytes of the record
    scope: I32  # (rows) index into scopes
    attribute_start: I64  # (rows + 1)
    slots: I32  # (rows, len(SLOT_KEYS))
    attributes: Attributes
    resources: Resources
    scopes: Scopes
    # Columns that one stage has read and another needs again; written by the preparing thread alone.
    memo: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.request)


@dataclass(slots=True)
class Spans(Records):
    """ExportTraceServiceRequest, in columns."""

    trace_id: U8  # (rows, 16); zero-filled where the wire's length is not 16
    trace_id_length: I32  # as on the wire
    span_id: I64
    span_id_length: I32
    parent_span_id: I64
    parent_span_id_length: I32  # 0: a root
    trace_state: TextRef
    flags: I64
    name: TextRef
    kind: I64  # as on the wire, any int32
    start_ns: I64  # as on the wire (uint64 reinterpreted: negative means over 2^63)
    end_ns: I64
    status_code: I64
    status_message: TextRef
    dropped_attributes_count: I64
    dropped_events_count: I64
    dropped_links_count: I64
    event_start: I64  # (rows + 1): slice of event_message
    event_message: TextRef  # each encoded Span.Event
    link_start: I64
    link_message: TextRef  # each encoded Span.Link
    measurements: Measurements


class MetricKind(enum.IntEnum):
    """Which member of Metric.data is set."""

    NONE = 0
    GAUGE = 1
    SUM = 2
    HISTOGRAM = 3
    EXPONENTIAL_HISTOGRAM = 4
    SUMMARY = 5


@dataclass(slots=True)
class Metrics(Records):
    """ExportMetricsServiceRequest: one row a data point of any kind, in wire order.

    Arrays of a point (bounds, counts, quantiles) lie in flat arrays; `*_start` (rows + 1) slices
    them. A metric without data points makes no row.
    """

    # the metric, repeated on each of its points
    metric_name: TextRef
    metric_description: TextRef
    metric_unit: TextRef
    metric_kind: U8  # MetricKind
    temporality: I64  # 0 unspecified, 1 delta, 2 cumulative; 0 for gauges and summaries
    is_monotonic: Bool
    # every kind
    time_ns: I64
    start_ns: I64
    flags: I64  # bit 0: no recorded value
    exemplar_start: I64
    exemplar_message: TextRef  # each encoded Exemplar
    # gauge and sum
    value_kind: U8  # 0 none, 1 int, 2 double
    int_value: I64
    double_value: F64  # the int converted where value_kind is 1; NaN where 0
    # histograms and summaries
    count: I64  # uint64 reinterpreted
    sum: F64  # NaN where absent: see has_sum
    has_sum: Bool
    min: F64
    has_min: Bool
    max: F64
    has_max: Bool
    bounds_start: I64
    bounds: F64  # explicit_bounds; for summaries the quantiles
    counts_start: I64
    counts: I64  # bucket_counts; for exponential histograms the positive buckets' counts
    quantile_values_start: I64
    quantile_values: F64  # summaries: one value a quantile of `bounds`
    scale: I64
    zero_count: I64
    zero_threshold: F64
    positive_offset: I64
    negative_offset: I64
    negative_counts_start: I64
    negative_counts: I64


@dataclass(slots=True)
class Logs(Records):
    """ExportLogsServiceRequest, in columns."""

    time_ns: I64
    observed_ns: I64
    severity_number: I64
    severity_text: TextRef
    body_kind: U8  # AttributeKind
    body_number: I64
    body_value: TextRef
    event_name: TextRef
    flags: I64
    trace_id: U8
    trace_id_length: I32
    span_id: I64
    span_id_length: I32
    dropped_attributes_count: I64
