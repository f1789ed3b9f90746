"""Sends what waits in the outbox, in a thread of its own, until each alert has arrived or is given up.

An alert arrives at least once: between a receiver's answer and the mark that it has arrived a collector can
die, and the next one sends the same delivery again, under the same id. Nothing of this is in the way of
the pipeline: a receiver that is away only makes the outbox longer.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from crucible_collector.alerts import post as http
from crucible_collector.alerts import signature
from crucible_collector.alerts.formats import body_of
from crucible_collector.alerts.message import compose
from crucible_collector.alerts.patience import Clock, Patience, delay_s
from crucible_collector.detect.webhooks import Webhook
from crucible_collector.errors import DatabaseAwayError, DatabaseError, QueryTooSlowError
from crucible_collector.metrics import (
    ALERTS,
    OLDEST_ALERT_SECONDS,
    UNCAUGHT_ERRORS,
    WAITING_ALERTS,
)
from crucible_collector.store.causes import Cause, causes_of
from crucible_collector.store.outbox import REASONS, Due, InVain, Outbox, delivery_id
from crucible_collector.store.read import Reads

log = logging.getLogger("crucible.alerts")

POLL_S = 0.5
RETRY_S = 2.0
# A message has a section an alert, and people read none with more.
ALERTS_MAX = 20
# Longer than any request, causes looked up before it included.
LEASE_S = 120.0
# The receiver, or what stands before it, is away or asks for patience; it is not about the message.
AWAY_STATUSES = frozenset({408, 425, 429, 502, 503, 504})


class AlertSender:
    """Owner of the thread "alerts". Started once there is a database, stopped before that ends."""

    def __init__(
        self,
        outbox: Outbox,
        reads: Reads,
        webhooks: Callable[[], Sequence[Webhook] | None],
        public_url: Callable[[], str],
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        jitter: random.Random | None = None,
        timeout_s: float = http.TIMEOUT_S,
    ) -> None:
        """`webhooks` are those of the settings in force, None while these are not known yet."""
        self._outbox = outbox
        self._reads = reads
        self._webhooks = webhooks
        self._public_url = public_url
        self._environment = environment
        self._clock = clock or Clock()
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads attempts, hides nothing
        self._timeout_s = timeout_s
        self._patience: dict[str, Patience] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the request in hand; what waits is in the outbox."""
        self._stopping.set()
        self._outbox.wake()
        if self._thread.is_alive():
            self._thread.join(self._timeout_s + POLL_S + RETRY_S)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.send_due()
                self._outbox.await_news(POLL_S)
            except DatabaseError:
                self._stopping.wait(RETRY_S)
            except Exception:
                UNCAUGHT_ERRORS.labels("alerts").inc()
                log.exception("sending alerts failed and starts over")
                self._stopping.wait(RETRY_S)
        self._outbox.close()

    def send_due(self) -> int:
        """Send what is due now and may be sent; how many requests that took. DatabaseAwayError."""
        webhooks = self._webhooks()
        if webhooks is None:
            return 0
        waiting = {each.webhook: each for each in self._outbox.waiting()}
        WAITING_ALERTS.clear()
        OLDEST_ALERT_SECONDS.clear()
        for name, each in waiting.items():
            WAITING_ALERTS.labels(name).set(each.count)
            OLDEST_ALERT_SECONDS.labels(name).set(each.oldest_s)
        if not waiting:
            return 0
        give_up_after_s = {webhook.name: webhook.give_up_after_s for webhook in webhooks}
        _tell_in_vain(self._outbox.drop_in_vain(give_up_after_s))
        return sum(self._send_to(webhook) for webhook in webhooks if webhook.name in waiting)

    def _send_to(self, webhook: Webhook) -> int:
        count = 0
        patience = self._patience.setdefault(
            webhook.name, Patience(self._clock.monotonic_s, self._jitter)
        )
        while not self._stopping.is_set() and patience.may_send(webhook.per_minute_max):
            alerts = self._outbox.claim(
                webhook.name, group_s=webhook.group_s, most=ALERTS_MAX, lease_s=LEASE_S
            )
            if not alerts:
                break
            count += 1
            patience.begin()
            self._deliver(webhook, alerts, patience)
        return count

    def _deliver(self, webhook: Webhook, alerts: list[Due], patience: Patience) -> None:
        try:
            answer = self._post(webhook, alerts)
        except http.UnreachableError as error:
            self._wait_for(webhook, alerts, patience, str(error), None)
            return
        except ValueError as error:
            self._refused(webhook, alerts, str(error))
            return
        told = f"HTTP {answer.status}{answer.says and ': '}{answer.says}"
        if 200 <= answer.status < 300:
            self._arrived(webhook, alerts, patience)
        elif answer.status in AWAY_STATUSES:
            self._wait_for(webhook, alerts, patience, told, answer.retry_after_s)
        elif 300 <= answer.status < 500:
            self._refused(webhook, alerts, told)
        else:
            # It may be about this very message: that one waits, others are sent.
            self._failed(webhook, alerts, told, delay_s(alerts[0].attempt_count, self._jitter))

    def _post(self, webhook: Webhook, alerts: list[Due]) -> http.Answer:
        now_s = self._clock.unix_s()
        message = compose(webhook.name, alerts, self._causes(alerts), self._public_url())
        body = body_of(message, webhook.format, dt.datetime.fromtimestamp(now_s, dt.UTC))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "crucible-collector",
            "X-Crucible-Delivery": message.delivery,
        }
        if webhook.secret_env:
            key = self._of_environment(webhook.secret_env)
            headers[signature.HEADER] = signature.signature(body, key, now_s)
        url = self._of_environment(webhook.url_env) if webhook.url_env else webhook.url
        return http.post(url, body, headers, timeout_s=self._timeout_s)

    def _of_environment(self, name: str) -> str:
        """Another collector of this database may have it: so what waits for it is not given up."""
        value = self._environment.get(name)
        if not value:
            raise http.UnreachableError(f"{name} is not set in this collector's environment")
        return value

    def _causes(self, alerts: Sequence[Due]) -> dict[UUID, list[Cause]]:
        """Of the periods that begin; none where the database has no time for it: the alert goes out."""
        found = {}
        for alert in alerts:
            if alert.kind == "firing" and alert.run_id is not None:
                try:
                    found[alert.period_id] = causes_of(self._reads, alert.period_id)
                except (DatabaseAwayError, QueryTooSlowError) as error:
                    log.info("no cause is told with alert %d: %s", alert.alert_id, error)
                    break
        return found

    def _arrived(self, webhook: Webhook, alerts: list[Due], patience: Patience) -> None:
        self._outbox.sent(alerts)
        ALERTS.labels(webhook.name, "sent").inc(len(alerts))
        if patience.is_failing:
            log.info("webhook %s takes alerts again", webhook.name)
        patience.arrived()

    def _wait_for(
        self,
        webhook: Webhook,
        alerts: list[Due],
        patience: Patience,
        error: str,
        retry_after_s: float | None,
    ) -> None:
        """All alerts of the webhook wait, so that none overtakes another."""
        if not patience.is_failing:
            log.warning("webhook %s takes no alerts, they wait: %s", webhook.name, error)
        patience.is_away(retry_after_s)
        self._failed(webhook, alerts, error, 0.0)

    def _failed(self, webhook: Webhook, alerts: list[Due], error: str, after_s: float) -> None:
        if after_s and alerts[0].attempt_count == 1:
            log.warning(
                "webhook %s did not take delivery %s: %s",
                webhook.name,
                delivery_id(alerts),
                error,
            )
        ALERTS.labels(webhook.name, "failed").inc(len(alerts))
        self._outbox.failed(alerts, error, after_s)

    def _refused(self, webhook: Webhook, alerts: list[Due], error: str) -> None:
        log.warning(
            "webhook %s refused delivery %s for good, %d alerts are given up: %s",
            webhook.name,
            delivery_id(alerts),
            len(alerts),
            error,
        )
        ALERTS.labels(webhook.name, "refused").inc(len(alerts))
        self._outbox.give_up([alert.alert_id for alert in alerts], error)


def _tell_in_vain(dropped: Sequence[InVain]) -> None:
    for each in dropped:
        ALERTS.labels(each.webhook, each.reason).inc()
        log.info(
            "alert %d to webhook %s is not sent: %s",
            each.alert_id,
            each.webhook,
            REASONS[each.reason],
        )
