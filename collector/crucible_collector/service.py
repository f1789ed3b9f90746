"""The collector's parts in the order in which they start, and in reverse in which they stop.

    journal (locks the data directory) → kernels → database → doors → alerts → pipeline → receivers → API → ready

SIGTERM or SIGINT: the receivers refuse new requests and finish those in hand, the pipeline drains the
journal into the database for as long as the grace allows, alerts and the database end, exit code 0.
What was not drained is in the journal and is written at the next start.

SIGHUP: the settings are read again, of which only those of sampling, detection and prices are taken; wrong
ones change nothing.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from prometheus_client import generate_latest

from crucible_collector import decode, metrics
from crucible_collector.access.doors import Doors
from crucible_collector.alerts.sender import AlertSender
from crucible_collector.answering import Parts, application
from crucible_collector.api import api_server
from crucible_collector.api.status import ComponentStatus
from crucible_collector.cost.price_table import PriceTable
from crucible_collector.detect import warm as detect_kernels
from crucible_collector.detect.settings import Detection
from crucible_collector.detect.webhooks import Webhook
from crucible_collector.enrich.subscription import Subscription
from crucible_collector.errors import SettingsError
from crucible_collector.in_process import InProcess
from crucible_collector.journal import DeadLetters, Journal
from crucible_collector.pipeline.checkpoints import Checkpoints
from crucible_collector.pipeline.detection import DetectionInForce
from crucible_collector.pipeline.in_force import Following, Kind
from crucible_collector.pipeline.pipeline import Pipeline
from crucible_collector.pipeline.prices import PricesInForce
from crucible_collector.pipeline.sampling import SamplingInForce
from crucible_collector.receive import (
    Admission,
    BoundedHttp,
    GrpcServer,
    Intake,
    Limits,
    OtlpHttp,
    for_pages,
)
from crucible_collector.sample import warm as sample_kernels
from crucible_collector.sample.rules import Rules
from crucible_collector.scrape import DetectionMetrics, LedgerMetrics, SamplingMetrics
from crucible_collector.settings import Address, Settings, parse_address
from crucible_collector.store import binary_copy
from crucible_collector.store.database import Database
from crucible_collector.store.outbox import Outbox
from crucible_collector.store.window import WindowWriter
from crucible_collector.web_server import WebServer

log = logging.getLogger("crucible.service")

_SECONDS_PER_DAY = 86_400
SWITCH_INTERVAL_S = 0.0005
# A signal that the system hands to another thread does not wake the main one, whose handler it is.
SIGNAL_POLL_S = 0.5
_READ_AGAIN = ("sampling", "detection", "prices")
_Part = TypeVar("_Part")


class Service:
    """Owns every part; `start` and `stop` from the main thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._description = f"{socket.gethostname()}:{settings.data_dir}"
        self._stack = ExitStack()
        self._sampling = SamplingInForce(_rules(settings), who=self._description)
        self._detection = DetectionInForce(_detection(settings), who=self._description)
        self._prices = PricesInForce(_prices(settings), who=self._description)
        self._database = Database(settings)
        self._doors = Doors(settings, lambda: self._database.dsn)
        self._asked = (
            LedgerMetrics(self._database),
            SamplingMetrics(self._sampling),
            DetectionMetrics(self._detection),
        )
        self._journal: Journal | None = None
        self._dead_letters: DeadLetters | None = None
        self._pipeline: Pipeline | None = None
        self._intake: Intake | None = None
        self._servers: dict[str, WebServer | GrpcServer] = {}
        self.addresses: dict[str, Address] = {}

    def start(self, stopping: threading.Event) -> None:
        """Start every part, or those before `stopping` was set; on failure stop them again."""
        steps = (
            self._open_journal,
            self._load_kernels,
            self._start_database,
            self._start_doors,
            self._start_alerts,
            self._start_pipeline,
            self._make_intake,
            self._start_api,
            self._start_receivers,
        )
        try:
            for step in steps:
                if stopping.is_set():
                    return
                step()
        except BaseException:
            self.stop()
            raise

    def _open_journal(self) -> None:
        settings = self._settings
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"data_dir = {settings.data_dir}: {error.strerror}") from None
        self._journal = Journal.open(
            settings.data_dir / "journal",
            segment_bytes=settings.journal_segment_bytes,
            bytes_max=settings.journal_bytes_max,
            retain_s=settings.journal_retain_s,
        )
        self._stack.callback(self._journal.close)
        self._dead_letters = DeadLetters.open(
            settings.data_dir / "dead-letters", bytes_max=settings.dead_letter_bytes_max
        )
        self._stack.callback(self._dead_letters.close)

    def _load_kernels(self) -> None:
        if self._settings.kernel_cache_dir is not None:
            decode.cache_directory(self._settings.kernel_cache_dir)
        others = binary_copy.warm_up, sample_kernels.warm_up, detect_kernels.warm_up
        decode.warm_up(log, *others)

    def _start_database(self) -> None:
        self._stack.callback(self._database.stop)
        self._database.start()

    def _start_doors(self) -> None:
        self._stack.callback(self._doors.stop)
        self._doors.start()

    def _start_alerts(self) -> None:
        """Before the pipeline, and ended after it: what is found while it drains may still be told."""
        sender = AlertSender(
            Outbox(self._database.connect_alerts),
            self._database,
            self._webhooks,
            lambda: (
                self._settings.public_url
                or f"{self.scheme}://{self.addresses.get('api', self._settings.api)}"
            ),
        )
        sender.start()
        self._stack.callback(sender.stop)

    @property
    def scheme(self) -> str:
        """Of the two addresses that speak HTTP."""
        return "http" if self._doors.tls is None else "https"

    def _webhooks(self) -> Sequence[Webhook] | None:
        """Those of the settings in force; None until these were read, or where there never were any."""
        now = self._detection.now
        return now.settings.webhooks if now.version else None

    def _start_pipeline(self) -> None:
        journal, dead_letters = _made(self._journal), _made(self._dead_letters)
        writer = WindowWriter(
            self._database.connect,
            journal.journal_id,
            self._description,
            make_room=self._database.make_room,
        )
        settings = self._settings
        subscription = Subscription(settings.events_allow, settings.events_deny)
        self._pipeline = Pipeline(
            journal,
            writer,
            dead_letters,
            subscription=subscription,
            sampling=self._sampling,
            detection=self._detection,
            prices=self._prices,
            checkpoints=Checkpoints(settings.data_dir, journal.journal_id),
        )
        self._pipeline.start()
        self._stack.callback(self._pipeline.stop, self._settings.stop_grace_s)

    def _make_intake(self) -> None:
        """What both the receivers and the API put requests into, and so outlives either."""
        settings = self._settings
        limits = Limits(
            body_bytes_max=settings.body_bytes_max,
            past_s=round(settings.past_days * _SECONDS_PER_DAY),
            ahead_s=round(settings.ahead_s),
        )
        admission = Admission(settings.in_flight_bytes_max)
        self._intake = Intake(_made(self._journal), limits, admission)
        self._stack.callback(self._intake.close)

    def _start_api(self) -> None:
        parts = Parts(self._settings, self._database, self._doors, self._description)
        here = InProcess(self._database, self._sampling, self._detection, self._prices)
        app = application(parts, here, self, _made(self._intake), self._stack)
        tls = self._doors.tls
        self._listen("api", api_server(app, tls=None if tls is None else tls.context))

    def _start_receivers(self) -> None:
        intake = _made(self._intake)
        tls, guard = self._doors.tls, self._doors.ingest_guard
        origins = self._doors.origins("http")
        otlp = for_pages(OtlpHttp(intake, guard=guard("http"), origins=origins), origins)
        context = None if tls is None else tls.context
        self._listen("http", WebServer(otlp, name="otlp-http", http=BoundedHttp, tls=context))
        credentials = None if tls is None else tls.grpc_credentials()
        self._listen("grpc", GrpcServer(intake, guard=guard("grpc"), credentials=credentials))
        _made(self._pipeline).listening()

    def _listen(self, name: str, server: WebServer | GrpcServer) -> None:
        wanted = parse_address(getattr(self._settings, name))
        try:
            host, port = server.start(wanted.host, wanted.port)
        except OSError as error:
            raise SettingsError(
                f"{name} = {wanted}: cannot listen there: {error.strerror or error}"
            ) from None
        if isinstance(server, GrpcServer):
            self._stack.callback(server.stop, self._settings.stop_grace_s)
        else:
            self._stack.callback(server.stop)
        self._servers[name] = server
        self.addresses[name] = Address(host, port)

    def stop(self) -> None:
        """Stop what was started, last first."""
        self._stack.close()

    def health(self) -> Mapping[str, ComponentStatus]:
        """What is up (see api.status.StatusSource)."""
        journal, pipeline = self._journal, self._pipeline
        states = {
            name: ComponentStatus(server.is_alive(), str(self.addresses[name]))
            for name, server in self._servers.items()
        }
        if journal is not None:
            states["journal"] = ComponentStatus(not journal.blocked, journal.blocked or self._lag())
        if pipeline is not None:
            states["pipeline"] = ComponentStatus(
                pipeline.is_alive(), f"position {pipeline.position}"
            )
            states["database"] = ComponentStatus(pipeline.is_writing, self._database.describe())
        return states

    def _lag(self) -> str:
        if self._journal is None or self._pipeline is None or self._pipeline.position is None:
            return "waiting for the database"
        return f"{self._waiting_bytes(self._journal, self._pipeline)} bytes wait for the database"

    @staticmethod
    def _waiting_bytes(journal: Journal, pipeline: Pipeline) -> int:
        """What is not stored yet. Of what is, the journal still holds what lies after the last checkpoint."""
        stored = pipeline.decided_position
        return journal.bytes_used if stored is None else max(0, journal.tail - stored)

    def metrics_text(self) -> bytes:
        """Everything counted in this process, and the ledger from the database."""
        journal, pipeline = self._journal, self._pipeline
        if journal is not None and pipeline is not None:
            metrics.JOURNAL_BYTES.set(self._waiting_bytes(journal, pipeline))
            metrics.JOURNAL_DISK_BYTES.set(journal.disk_bytes)
            metrics.LAG_SECONDS.set(pipeline.lag_s(time.time()))
        return generate_latest(metrics.REGISTRY) + b"".join(map(generate_latest, self._asked))

    def reload(self, read: Callable[[], Settings]) -> None:
        """Take what the settings say of sampling, detection and prices; all else holds from the next start on."""
        try:
            settings = read()
            rules, detection, prices = _rules(settings), _detection(settings), _prices(settings)
        except SettingsError as error:
            log.warning("nothing changes, the settings are wrong: %s", error)
            return
        others = [
            name
            for name in Settings.model_fields
            if name not in _READ_AGAIN and getattr(settings, name) != getattr(self._settings, name)
        ]
        if others:
            again = ", ".join(_READ_AGAIN)
            told = ", ".join(others)
            log.warning("only %s are read again; from the next start on: %s", again, told)
        _offer("sampling", self._sampling, rules)
        _offer("detection", self._detection, detection)
        _offer("prices", self._prices, prices)


def _offer(name: str, following: Following[Kind], told: Kind | None) -> None:
    if told is None:
        log.info("the settings say nothing of %s: what is in force stays", name)
    else:
        following.offer(told)


def _made(part: _Part | None) -> _Part:
    """A part that an earlier step has started."""
    if part is None:
        raise RuntimeError("the steps of the start are out of order")
    return part


def _rules(settings: Settings) -> Rules | None:
    """What the settings say of sampling; None: nothing. Raises SettingsError."""
    return None if settings.sampling is None else Rules.parse(settings.sampling)


def _detection(settings: Settings) -> Detection | None:
    """What they say of detection; None: nothing. Raises SettingsError."""
    return None if settings.detection is None else Detection.parse(settings.detection)


def _prices(settings: Settings) -> PriceTable | None:
    """What they say of prices; None: nothing. Raises SettingsError."""
    return None if settings.prices is None else PriceTable.parse(settings.prices)


def serve(settings: Settings, read_again: Callable[[], Settings]) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. At SIGHUP the settings are read again."""
    # COPY's thread asks for the interpreter after each message while the next window is prepared; at
    # Python's 5 ms it waits for it: windows are written 4 % faster so (84,000 to 88,000 spans/s).
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stopping = threading.Event()
    # A handler runs between any two steps of this thread: its `put` may, an event's lock may not.
    signals: SimpleQueue[int] = SimpleQueue()

    def take(number: int, _frame: object) -> None:
        if number != signal.SIGHUP:
            stopping.set()
        signals.put(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, take)
    service = Service(settings)
    service.start(stopping)
    if stopping.is_set():
        service.stop()
        log.info("stopped while starting")
        return 0
    shown, scheme = service.addresses, service.scheme
    print(
        f"ready grpc={shown['grpc']} http={scheme}://{shown['http']} api={scheme}://{shown['api']}",
        flush=True,
    )
    while _next(signals) == signal.SIGHUP:
        service.reload(read_again)
    log.info("stopping: no new requests are taken")
    service.stop()
    log.info("stopped")
    return 0


def _next(signals: SimpleQueue[int]) -> int:
    """The next signal; its handler runs in this thread, as soon as that is awake."""
    while True:
        with suppress(Empty):
            return signals.get(timeout=SIGNAL_POLL_S)
