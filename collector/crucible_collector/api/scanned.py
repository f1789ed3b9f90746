"""What a scan of stored numbers is asked for, and what it answers; and the band around a curve."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from crucible_collector.api.models import Id, Model, Number, Time
from crucible_collector.api.parameters import Text, parse_id_64
from crucible_collector.api.parameters import Time as AskedTime
from crucible_collector.detect.settings import DetectorName

Label = Annotated[
    str, Field(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:-]*$|^$")
]  # a word or some, so that filters find it again


class ScanRequest(BaseModel):
    """The body of `POST /anomalies/scan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Text | None = None
    experiment: Text | None = None
    series: Annotated[int, BeforeValidator(parse_id_64)] | None = None
    metric: Text | None = None
    event: Text | None = None
    from_time: AskedTime | None = Field(None, alias="from")
    to_time: AskedTime | None = Field(None, alias="to")
    detectors: tuple[DetectorName, ...] = ()
    scale: Literal["linear", "log"] | None = None
    direction: Literal["up", "down", "both"] | None = None
    sensitivity: float | None = Field(None, gt=0, le=1000)
    label: Label = ""
    write: bool = False

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if sum(each is not None for each in (self.run, self.experiment, self.series)) != 1:
            raise ValueError("expected one of run, experiment and series")
        if self.write and not self.label:
            raise ValueError("write needs a label: what the stream finds has none")
        if self.from_time and self.to_time and self.from_time >= self.to_time:
            raise ValueError("expected `from` before `to`")
        return self

    def told(self) -> dict[str, Any]:
        """As it was asked, as JSON."""
        found = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        if self.series is not None:
            found["series"] = f"{self.series:016x}"
        return found


class ScannedCount(Model):
    flag_count: int = Field(description="Values that were flagged.")
    period_count: int
    peak_score: Number


class ScannedDetector(ScannedCount):
    detector: str


class _Whose(Model):
    metric: str
    event_name: str | None
    experiment_id: str | None
    run_id: str | None
    condition: str | None
    model: str | None
    series_id: Id | None = Field(description="Null: it is the number of an event.")
    watch_id: Id = Field(description="What is watched as one series has one.")


class ScannedSeries(_Whose, ScannedCount):
    """A series with periods."""


class ScannedPeriod(_Whose):
    detector: str
    severity: Literal["info", "warning", "critical"]
    period_id: str = Field(description="Of the period, where it was written.")
    started_at: Time
    ended_at: Time | None = Field(
        description="When the series was back; null: not in what was scanned."
    )
    last_flag_at: Time
    first_step: int | None
    last_step: int | None
    flag_count: int
    peak_at: Time | None
    peak_score: Number
    peak_value: Number | None
    peak_expected: Number | None
    peak_lower: Number | None
    peak_upper: Number | None


class ScanReport(ScannedCount):
    """What a scan found; totals are of all, lists of the worst."""

    value_count: int = Field(description="Numbers that were looked at.")
    series_count: int = Field(description="Series that these are of.")
    late_count: int = Field(
        description="Numbers that were not newer than the one before; left out."
    )
    unstored_count: int = Field(
        description="Beginnings and ends of periods beyond a thousand at a time."
    )
    thinned_count: int = Field(
        description="Events that stand for others, which sampling left out: what these were is unknown."
    )
    detectors: list[ScannedDetector]
    series: list[ScannedSeries] = Field(description="The 200 with the most flags.")
    periods: list[ScannedPeriod] = Field(description="The 200 worst, by severity and score.")
    is_complete: bool = Field(description="False where a list was cut.")


class ListedScan(Model):
    scan_id: str
    created_at: Time
    updated_at: Time
    finished_at: Time | None
    state: Literal["running", "completed", "failed", "cancelled"]
    progress: float = Field(description="From 0 to 1.")
    label: str
    request: dict[str, Any] = Field(description="As it was asked for.")
    error: str | None


class AnomalyScan(ListedScan):
    report: ScanReport | None = Field(description="Null until it is completed.")


class BandPoint(Model):
    step: int | None
    time: Time
    value: Number | None = Field(
        description="What is tested: the number, or what the detector makes of it (a rate, a mean)."
    )
    expected: Number | None = Field(description="Before the detector had seen the value.")
    lower: Number | None = Field(description="Below it is anomalous; null: no such bound.")
    upper: Number | None
    score: Number | None = Field(description="Above 1 is anomalous; null: not tested.")


class BandMeta(Model):
    detector: str | None = Field(description="Null: nothing watches it.")
    watch_class: str | None
    scale: Literal["linear", "log"]
    direction: Literal["up", "down", "both"]
    sensitivity: float
    event_name: str | None
    rank: int | None
    series_id: Id
    point_count: int = Field(description="Of the series, whatever part was asked for.")


class Band(Model):
    """A curve with what a detector expected of it."""

    data: list[BandPoint]
    meta: BandMeta
