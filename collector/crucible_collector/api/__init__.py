"""Questions and answers: REST over what is stored, and a page that shows it.

`serve` listens and `app` puts it together; `routes` has a module for each kind of thing that is asked
for; `parameters` says what a question may contain, `path_parameters` what its path, and `bodies` reads what is sent with one; `models`,
`aggregates`, `anomalies`, `archives`, `experiments`, `cost`, `detection`, `scanned`, `sampling`, `simulated` and `telemetry` say what answers
look like and `answer` writes them, its `row_sets` as the request is to `accept` them: as JSON or as `arrow`
(`exchange` has what holds of every request, and `openapi` tells of it); `estimates` puts the `intervals` of what was sampled into them, by the
rules that were `in_force`, and `costs` into sums of costs; `tree` puts a trace in order; `health` judges runs and `sentences` says what is
wrong with them; `feed` tells what happens to anomalies as it happens; `live` tells
all that is stored as it is committed, as `live_rows` from `place` to `place`, and `server_sent` is how either is
sent; `versions` is what questions about
settings have in common, `jobs` those about what goes on by itself, as `exports` do; `paging` and `places` make lists continue where they ended; `registry` is what
there is to know of events; `failures` gives every refusal one shape, and `wrong` says what is wrong with a body; `status` is for probes and scrapers;
`compared` puts together what is compared: `comparison` is the question and the answer, `sides` and their numbers,
`measured` by runs or `requested`, come from the database;
what a run saved are `checkpoints`; `guard` lets requests in, by keys of which `access` says what is told;
any number of events is put by `questions` (with conditions, `where`), answered by `asking`, or by `points_asked` where it
has series, as groups of `numbers`, and told as `aggregated`; `group_places` is where such a
list continues; `curves` are `lines` of which few `line_points` draw the same, and a `run_curve` all lines of one metric; `outcomes` of requests make their `reliability`;
a `portrait` is all of it for a model, an event or an experiment, as `statistics` have it;
`distributions` are histograms, of which `percentiles` are told;
`site` serves the page. SQL is in `store/queries`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crucible_collector.api.app import create_app
    from crucible_collector.api.guard import Access
    from crucible_collector.api.routes.telemetry import TakesEvents
    from crucible_collector.api.serve import api_server
    from crucible_collector.api.status import ComponentStatus, StatusSource

__all__ = ["Access", "ComponentStatus", "StatusSource", "TakesEvents", "api_server", "create_app"]

# Looked up when asked for: a command that only wants to know what a time or an export's request is would else
# hold all routes, scipy and the detectors, 130 MB.
_PLACES = {
    "Access": "guard",
    "ComponentStatus": "status",
    "StatusSource": "status",
    "TakesEvents": "routes.telemetry",
    "api_server": "serve",
    "create_app": "app",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
