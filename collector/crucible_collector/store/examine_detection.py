"""What the doctor says of detection: what is in force, and whether webhooks have what they need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from crucible_collector.detect.settings import Detection
from crucible_collector.errors import SettingsError
from crucible_collector.findings import Finding
from crucible_collector.store.versions import DETECTION, Connection


def detection(conn: Connection, environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Yield what is in force, and each webhook that names a variable which is not set here."""
    newest = DETECTION.in_force(conn)
    if newest is None:
        says = "no settings: what the registry marks is watched, and nobody is alerted"
        yield Finding("detection", "ok", says)
        return
    try:
        settings = Detection.parse(newest.settings)
    except SettingsError as error:
        says = (
            f"version {newest.version} is not understood by this version of the collector: {error}"
        )
        remedy = "update the collectors, or put others with PUT /api/v1/anomalies/settings"
        yield Finding("detection", "wrong", says, remedy)
        return
    yield _in_force(newest.version, newest.origin, settings)
    for webhook in settings.webhooks:
        wanted = (webhook.url_env, webhook.secret_env)
        missing = [name for name in wanted if name and not environment.get(name)]
        if missing:
            says = f"webhook {webhook.name}: {' and '.join(missing)} not set in this environment"
            remedy = "set it where the collector runs; if it is set there, run this there"
            facts = {"webhook": webhook.name, "missing": missing}
            yield Finding("detection", "warning", says, remedy, facts)


def _in_force(version: int, origin: str, settings: Detection) -> Finding:
    rules, webhooks = len(settings.rules), len(settings.webhooks)
    facts = {"version": version, "origin": origin, "rules": rules, "webhooks": webhooks}
    if not settings.enabled:
        says = f"version {version} is in force, by which nothing is watched"
        return Finding("detection", "ok", says, facts=facts)
    alerted = _counted(webhooks, "webhook") if webhooks else "nobody to alert"
    says = f"version {version} is in force with {_counted(rules, 'rule')} and {alerted}"
    return Finding("detection", "ok", says, facts=facts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
