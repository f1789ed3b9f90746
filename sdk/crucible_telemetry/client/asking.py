"""The client: a method for each kind of question, each with rows as an Arrow table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

import pyarrow as pa

from crucible_telemetry.client.comparison import Comparison
from crucible_telemetry.client.downloads import Downloads
from crucible_telemetry.client.following import Following
from crucible_telemetry.client.line import Line
from crucible_telemetry.client.parameters import Value, Values, text_of, whole

URL = "http://127.0.0.1:8080"
TIMEOUT_S = 60.0  # longer than a question may take by itself
ExportOf = Literal["events", "traces", "points", "logs", "anomalies", "runs", "summary"]
Format = Literal["csv", "jsonl", "parquet", "arrow"]
Several = str | Iterable[str]


class Client:
    """Asks one collector. May be used by several threads; `close` it, or use it as a context manager.

    Filters are the parameters of the API's questions by their names, with a `_` behind those that Python
    has taken (`from_`); times are `datetime` with a zone, or text as RFC 3339 has it. Lists are asked for page
    by page and given whole, or the first `rows_max` of them; for very many rows there is `export`.
    Every method raises ApiError, with what the collector says is wrong.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Without arguments: CRUCIBLE_API_URL, else a collector on this machine; CRUCIBLE_API_KEY.

        Whom to trust over https is OTEL_EXPORTER_OTLP_CERTIFICATE, else the system's authorities. ValueError
        for what is no address.
        """
        url = url or os.environ.get("CRUCIBLE_API_URL") or URL
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url = {url}: expected http:// or https:// and a host")
        key = api_key if api_key is not None else os.environ.get("CRUCIBLE_API_KEY")
        self._line = Line(url, key, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._line.close()

    def experiments(self, *, rows_max: int | None = None, **filters: Values) -> pa.Table:
        """Experiments, newest first."""
        return self._line.table("/experiments", filters, rows_max)

    def runs(self, *, rows_max: int | None = None, **filters: Values) -> pa.Table:
        """Runs, newest first; filters are `experiment`, `condition`, `status` and others."""
        return self._line.table("/runs", filters, rows_max)

    def run(self, run_id: str) -> dict[str, Any]:
        """One run, with the newest number of each of its metrics."""
        found: dict[str, Any] = self._line.data(f"/runs/{quote(run_id, safe='')}", {})
        return found

    def events(self, *, rows_max: int | None = None, **filters: Values) -> pa.Table:
        """Events, newest first; attributes are JSON text, and each row has the probability it was kept with."""
        return self._line.table("/events", filters, rows_max)

    def anomalies(self, *, rows_max: int | None = None, **filters: Values) -> pa.Table:
        """Periods of anomalies, newest first; filters are `run`, `metric`, `severity`, `state` and others."""
        return self._line.table("/anomalies/periods", filters, rows_max)

    def series(
        self,
        run: Several,
        metric: str,
        *,
        points: int | None = None,
        x: Literal["step", "time", "relative_time"] = "step",
        **filters: Value,
    ) -> pa.Table:
        """The numbers that one or several runs measured under one name.

        Every point, oldest first, run by run; or, with `points`, at most so many a line, which draw the same
        line and keep its spikes. `x` is then what they are in order of.
        """
        runs = [run] if isinstance(run, str) else list(run)
        if points is not None:
            asked: dict[str, Values] = {**filters, "run": whole(runs), "metric": metric}
            return self._line.page("/curves", {**asked, "x": x, "points": points})
        if not runs:
            raise ValueError("run: expected one run id or several")
        tables = []
        for each in runs:
            path = f"/runs/{quote(each, safe='')}/series/{quote(metric, safe='')}"
            table = self._line.table(path, filters, None)
            ids = pa.array([each] * table.num_rows, pa.string())
            tables.append(table.add_column(0, "run_id", ids))
        return pa.concat_tables(tables)

    def aggregate(
        self,
        metric: str,
        agg: Several | None = None,
        *,
        group_by: Several | None = None,
        interval: str = "none",
        rows_max: int | None = None,
        **filters: Values,
    ) -> pa.Table:
        """Any number summed up by time and group, weighted where rows were sampled: `agg="p95"`."""
        lists = {
            name: value if value is None or isinstance(value, str) else list(value)
            for name, value in (("agg", agg), ("group_by", group_by))
        }
        escaped: dict[str, Values] = {
            name: whole(value) if name in _LISTS and _is_text(value) else value  # type: ignore[arg-type]
            for name, value in filters.items()
        }
        asked: dict[str, Values] = {**escaped, **lists, "metric": metric, "interval": interval}
        return self._line.table("/aggregate", asked, rows_max)

    def cost(
        self,
        group_by: Several | None = None,
        *,
        interval: Literal["1h", "1d", "none"] = "none",
        rows_max: int | None = None,
        **filters: Values,
    ) -> pa.Table:
        """What calls of language models cost, and the calls and tokens; with intervals where they were sampled."""
        asked: dict[str, Values] = {**filters, "group_by": group_by, "interval": interval}
        return self._line.table("/cost", asked, rows_max)

    def compare(
        self,
        metric: str | Sequence[str | dict[str, Any]],
        *,
        experiment: str | None = None,
        conditions: Sequence[str] | None = None,
        experiments: Sequence[str] | None = None,
        runs: dict[str, Sequence[str]] | None = None,
        **options: Any,
    ) -> Comparison:
        """Which side is better, by how much, and how sure that is.

        Sides are the conditions of one `experiment`, several `experiments`, or groups of `runs` by name; the
        first is the baseline. `options` are those of `POST /api/v1/compare`: `of`, `event`, `test`, `baseline`, …
        ApiError with the code `not_comparable` where an answer would mean nothing.
        """
        body = {
            ("metric" if isinstance(metric, str) else "metrics"): metric,
            "experiment": experiment,
            "conditions": conditions,
            "experiments": experiments,
            "runs": runs,
            **{name.rstrip("_"): _plain(name, value) for name, value in options.items()},
        }
        asked = {name: value for name, value in body.items() if value is not None}
        return Comparison.of(self._line.asked("/compare", asked))

    def export(
        self,
        of: ExportOf,
        path: str | Path,
        *,
        format_: Format = "parquet",
        progress: bool | Callable[[float], None] | None = None,
        **options: Any,
    ) -> list[Path]:
        """Take rows away as files, as of one moment; returns the files.

        `path`: the file, or with `partition=True` the directory for them. `options` are filters and the rest
        of `POST /api/v1/exports`. `progress`: a bar on the terminal (None: where there is one), or who is
        told the share that is done. Goes on where a download broke off, and checks what has come.
        """
        asked = {name.rstrip("_"): _plain(name, value) for name, value in options.items()}
        body = {**asked, "of": of, "format": format_}
        downloads = Downloads(self._line, progress)
        export_id = downloads.start(body)
        return downloads.fetch(export_id, Path(path), is_folder=bool(asked.get("partition")))

    def download(
        self,
        export_id: str,
        path: str | Path,
        *,
        progress: bool | Callable[[float], None] | None = None,
    ) -> list[Path]:
        """The files of an export that was begun before, as `export` gives them."""
        downloads = Downloads(self._line, progress)
        request = downloads.job(export_id)["request"]
        return downloads.fetch(export_id, Path(path), is_folder=bool(request.get("partition")))

    def live(
        self,
        *,
        run: Several | None = None,
        experiment: Several | None = None,
        events: Several | None = None,
        kinds: Several | None = None,
        after: str | None = None,
    ) -> Following:
        """What is stored, as it is stored: iterate over it, and `close` it.

        Without `after` (a `Following.place`): from now on, that is from when this returns.
        """
        wanted: dict[str, Values] = {
            "run": whole(run),
            "experiment": whole(experiment),
            "events": whole(events),
            "kinds": kinds,
        }
        return Following(self._line, wanted, after)


# Parameters of /aggregate in which a comma parts values.
_LISTS = ("experiment", "run", "condition", "event", "model", "service", "correlation")


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, Iterable) and all(isinstance(each, str) for each in value)
    )


def _plain(name: str, value: Any) -> Any:
    return text_of(name, value) if hasattr(value, "tzinfo") else value
