"""Settings: each declared once, with its default, its bounds and what it is for.

Flags, environment names, the TOML keys and the reference in the README follow from that
(`settings_sources`).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from crucible_collector.errors import SettingsError
from crucible_collector.retention import from_setting

_ADDRESS = re.compile(r"^(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^:\s\[\]]+)):(?P<port>\d{1,5})$")
_URL = re.compile(r"^https?://[^\s/?#@]+(?:/[^\s?#]*)?$")
_ORIGIN = re.compile(r"^https?://[^\s/?#@*]+$")
_HOST_NAME = re.compile(r"^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host in _LOOPBACK or self.host.startswith("127.")


def parse_address(text: str) -> Address:
    """`host:port`, an IPv6 host in brackets; raises ValueError."""
    match = _ADDRESS.match(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError("expected host:port, as in 127.0.0.1:4317")
    return Address(match["v6"] or match["host"], int(match["port"]))


def _is_address(text: str) -> str:
    parse_address(text)
    return text


def _is_url(text: str) -> str:
    if not _URL.match(text):
        raise ValueError("expected an address as in https://crucible.example.org")
    return text.rstrip("/")


_Url = Annotated[str, AfterValidator(_is_url)]
_AddressText = Annotated[str, AfterValidator(_is_address)]
_NAME = re.compile(r"^(?:\*|[^\s*.]+(?:\.[^\s*.]+)*(?:\.\*?)?)$")


def _names(value: Any) -> Any:
    """A list of names as a file has it, or with commas between as flags and environment do."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise ValueError("expected a list of names")
    given = tuple(each.strip() for each in names if each.strip())
    for each in given:
        if not _NAME.match(each):
            raise ValueError(
                f"{each!r} is neither an event's name nor its beginning up to a dot, "
                "as crucible_train.batch is"
            )
    return given


def _table(value: Any) -> Any:
    """A table as a file has it, or the same as JSON text; what is in it is for others to check."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"expected a table, as JSON: {error}") from None
    if value is not None and not isinstance(value, dict):
        raise ValueError('expected a table, as a file has it or {"rules": []} as JSON')
    return value


def _host_names(value: Any) -> Any:
    """A list, or texts with commas between."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError("expected names of hosts, with commas between")  # noqa: TRY004 - as below
    names = tuple(str(each).strip().lower() for each in given if str(each).strip())
    for name in names:
        if _HOST_NAME.match(name) is None:
            raise ValueError(f"{name!r}: expected the name of a host alone, as in lab.example")
    return names


def _origins(value: Any) -> Any:
    """A list, or texts with commas between: scheme and host, as browsers send them."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(  # noqa: TRY004 - pydantic tells only these
            "expected origins such as https://lab.example, with commas between"
        )
    origins = tuple(str(each).strip() for each in given if str(each).strip())
    for origin in origins:
        if _ORIGIN.match(origin) is None:
            raise ValueError(f"{origin!r}: expected scheme and host, as in https://lab.example")
    return origins


LISTENERS = ("grpc", "http", "api")

_Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
_HostNames = Annotated[tuple[str, ...], BeforeValidator(_host_names)]
_Origins = Annotated[tuple[str, ...], BeforeValidator(_origins)]
_Kept = Annotated[dict[str, dt.timedelta] | None, BeforeValidator(from_setting)]
_Table = Annotated[dict[str, Any] | None, BeforeValidator(_table)]
_MIB = 1024 * 1024
# The earliest time that is taken stays after 1970, the latest within 64 bits of nanoseconds.
_PAST_DAYS_MAX = 20_000
_YEAR_S = 366 * 86_400


class Settings(BaseModel):
    """What `crucible-collector serve` can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data_dir: Path = Field(
        Path("crucible-data"), description="directory of the journal and the embedded database"
    )
    database_url: str | None = Field(
        None, description="PostgreSQL 15 or newer; without one the collector runs its own"
    )
    postgres_bin: Path | None = Field(
        None, description="directory of the PostgreSQL programs for the collector's own database"
    )
    timescaledb: Literal["auto", "off"] = Field(
        "auto", description="auto: use the extension where the server has it"
    )
    grpc: _AddressText = Field("127.0.0.1:4317", description="OTLP over gRPC, host:port")
    http: _AddressText = Field("127.0.0.1:4318", description="OTLP over HTTP, host:port")
    api: _AddressText = Field("127.0.0.1:8080", description="REST and the page, host:port")
    public_url: _Url | None = Field(
        None,
        description="where people reach the API and its page, for links in alerts; default: the address of --api",
    )
    insecure: bool = Field(
        False, description="listen beyond loopback without TLS and keys, for trusted networks"
    )
    tls_cert: Path | None = Field(
        None,
        description="certificate chain in PEM for all three ports; with tls_key they speak TLS only",
    )
    tls_key: Path | None = Field(None, description="its private key in PEM")
    tls_client_ca: Path | None = Field(
        None,
        description="clients must have a certificate that one of these in PEM has signed, on all three ports",
    )
    require_keys: bool = Field(
        False,
        description="ask for an API key on loopback, too, or behind a proxy that ends TLS; beyond loopback it"
        " is always asked for, but with --insecure",
    )
    cors_origins: _Origins = Field(
        (),
        description="origins whose pages browsers let ask the API and send OTLP over HTTP, with commas between",
    )
    host_names: _HostNames = Field(
        (),
        description="names by which browsers reach a loopback address that asks for no keys, beside localhost and"
        " that of public_url, with commas between",
    )
    requests_per_minute_max: int | None = Field(
        None, ge=1, description="questions and changes over REST a minute, of each key or address"
    )
    spans_per_s_max: int | None = Field(
        None,
        ge=1,
        description="spans, log records and data points a second, of each key or address",
    )
    bytes_per_s_max: int | None = Field(
        None, ge=1024, description="bytes of OTLP a second, decompressed, of each key or address"
    )
    query_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="time that a question may take of the database, seconds"
    )
    queries_max: int = Field(
        8, ge=1, le=100, description="questions that are asked of the database at once"
    )
    exports_bytes_max: int = Field(
        10 * 1024 * _MIB,
        ge=_MIB,
        description="size of the exports kept in the data directory, bytes",
    )
    exports_keep_s: float = Field(
        86_400.0,
        ge=60,
        le=_YEAR_S,
        description="how long an export is kept after it is done, seconds",
    )
    archive_url: str | None = Field(
        None,
        description="where archives go that are asked for over REST: s3://bucket/prefix, gs://, az:// or"
        " file:///directory; credentials as those stores' own tools take them from the environment",
    )
    prices: _Table = Field(
        None,
        description="what calls of models cost where the price list that comes with the collector is not right:"
        " the table [prices] of the file, or the same as JSON; default: as the database has it",
    )
    body_bytes_max: int = Field(
        64 * _MIB, ge=1024, le=1024 * _MIB, description="largest request after decompression, bytes"
    )
    in_flight_bytes_max: int = Field(
        64 * _MIB, ge=1024, description="request bytes being received and checked at once"
    )
    journal_bytes_max: int = Field(
        4 * 1024 * _MIB, ge=64 * _MIB, description="journal size at which clients are told to wait"
    )
    journal_segment_bytes: int = Field(
        16 * _MIB, ge=64 * 1024, le=1024 * _MIB, description="size of one journal file, bytes"
    )
    journal_retain_s: float = Field(
        600.0,
        ge=0,
        description="how long journal data is kept after it is in the database, seconds",
    )
    dead_letter_bytes_max: int = Field(
        256 * _MIB, ge=_MIB, description="size of the dead letters kept, bytes"
    )
    past_days: float = Field(
        30.0,
        gt=0,
        le=_PAST_DAYS_MAX,
        description="records older than this at their receipt are rejected, days; a span is as old as its end",
    )
    ahead_s: float = Field(
        3600.0,
        gt=0,
        le=_YEAR_S,
        description="records further ahead than this are rejected, seconds",
    )
    events_allow: _Names = Field(
        (),
        description="events that are stored, by name or its beginning up to a dot, with commas between; default: all",
    )
    events_deny: _Names = Field(
        (),
        description="events that are not; of all that fit a name the longest decides, and this where both have it",
    )
    retention: _Kept = Field(
        None,
        description="for how long rows are kept, as in spans=30d,logs=14d, and what is not named for ever;"
        " default: as the database has it",
    )
    sampling: _Table = Field(
        None,
        description="which spans and logs are kept: the table [sampling] of the file, or the same as JSON;"
        " default: as the database has it, at first everything",
    )
    detection: _Table = Field(
        None,
        description="what is watched for anomalies, and who is alerted: the table [detection] of the file, or the"
        " same as JSON; default: as the database has it, at first what the registry says, and nobody",
    )
    kernel_cache_dir: Path | None = Field(
        None, description="where the compiled decoder is kept; default: the user's cache directory"
    )
    stall_after_intervals: float = Field(
        3.0,
        ge=1,
        le=1000,
        description="a run that promised heartbeats has stalled after so many of their intervals in silence",
    )
    stall_after_min_s: float = Field(
        30.0,
        ge=0,
        le=_YEAR_S,
        description="but not before it was silent for this long, seconds",
    )
    stop_grace_s: float = Field(
        10.0,
        ge=0,
        le=_YEAR_S,
        description="time to drain into the database at SIGTERM, seconds",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severity that is logged"
    )

    def check_exposure(self) -> None:
        """Refuse what would listen beyond loopback in the clear, or half of TLS; raises SettingsError."""
        if (self.tls_cert is None) != (self.tls_key is None):
            given, missing = (
                ("tls_cert", "tls_key") if self.tls_key is None else ("tls_key", "tls_cert")
            )
            raise SettingsError(f"{given} = {getattr(self, given)}: TLS takes {missing}, too")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise SettingsError(
                f"tls_client_ca = {self.tls_client_ca}: TLS takes tls_cert and tls_key, too"
            )
        for key in LISTENERS:
            address = parse_address(getattr(self, key))
            if not address.is_loopback and self.tls_cert is None and not self.insecure:
                raise SettingsError(
                    f"{key} = {address}: beyond loopback TLS is needed (--tls-cert and --tls-key), and"
                    " API keys; choose a loopback address, or accept neither with --insecure"
                )

    def asks_for_keys(self, listener: str) -> bool:
        """Whether who comes to this one of the three addresses needs an API key."""
        address = parse_address(getattr(self, listener))
        return self.require_keys or not (address.is_loopback or self.insecure)
