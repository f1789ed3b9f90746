"""What stands in the paths of routes; apart from `parameters`, which commands that serve nothing use, too."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Path
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from crucible_collector.api.parameters import TraceId, parse_id_64, storable


def _segment(example: str, description: str) -> Any:
    return Path(description=description, examples=[example])


# `app.PathAsSent` leaves the path escaped, so that an id may contain a slash.
_Unescaped = Annotated[str, AfterValidator(unquote), AfterValidator(storable)]
ExperimentIdPath = Annotated[_Unescaped, _segment("digits-sweep", "Experiment id.")]
RunIdPath = Annotated[_Unescaped, _segment("run-7", "Run id; a slash in it as %2F.")]
MetricPath = Annotated[
    _Unescaped, _segment("optim/entropy", "Name of the measurement, slashes as they are.")
]
EventNamePath = Annotated[
    _Unescaped, _segment("crucible_train.epoch.stop", "Name of an event, or an alias.")
]
ModelPath = Annotated[_Unescaped, _segment("gpt-4o", "Model; a slash in its name as %2F.")]
CorrelationIdPath = Annotated[
    _Unescaped, _segment("order-4711", "Correlation id; where none was set it is the trace id.")
]
TraceIdPath = Annotated[
    TraceId, _segment("5b8efff798038103d269b633813fc60c", "Trace id: 32 hex digits or a UUID.")
]
SeriesIdPath = Annotated[
    int,
    BeforeValidator(parse_id_64),
    WithJsonSchema({"type": "string"}),
    _segment("0f3c9a7be2d14c55", "Series id: hex digits, as the lists of series give it."),
]
