"""From the socket to the journal: what is acknowledged is on disk.

In the order in which a request meets them:

- `grpc_server`, `http_app`: the two transports; `http_protocol` bounds headers, `http_exchange` is
  one HTTP request and its response.
- `admission`: how many bytes may be in memory; asked before a body is read.
- `intake`: the way from the last byte to the answer, the same for both.
- `inflate`: where gzip is undone. `transcode`: OTLP/JSON into protobuf; `json_values` its scalars.
- `check`: which records can be stored, by the rules of `verdicts` and the numbers of `limits`.
- `answers`: what the sender is told.
- The family's events become OTLP and then go the same way: `events_bridge_intake` is that way,
  `events_bridge` a whole body, `events_bridge_event` one event, `events_bridge_fields` what becomes of
  its fields, `events_bridge_ids` which span it is, `events_bridge_outcome` whether it went well,
  `events_bridge_values` how values are written.
"""

from crucible_collector.receive.admission import Admission
from crucible_collector.receive.events_bridge_intake import EventsIntake
from crucible_collector.receive.grpc_server import GrpcServer
from crucible_collector.receive.http_app import OtlpHttp, for_pages
from crucible_collector.receive.http_protocol import BoundedHttp
from crucible_collector.receive.intake import Intake
from crucible_collector.receive.limits import Limits

__all__ = [
    "Admission",
    "BoundedHttp",
    "EventsIntake",
    "GrpcServer",
    "Intake",
    "Limits",
    "OtlpHttp",
    "for_pages",
]
