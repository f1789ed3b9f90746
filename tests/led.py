"""An experiment that is led over REST, with a run of which everything is known; and what to ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

EXPERIMENT, RUN = "led", "led-1"


def rows(begin: datetime) -> str:
    """They are paused twice, as a statement."""
    first, last = begin, begin + timedelta(hours=2)
    return f"""
        insert into crucible.experiments (
            experiment_id, first_seen, last_seen, status, status_at, described_at, name, hypothesis, tags, owner,
            sample_size
        )
        values (
            '{EXPERIMENT}', '{first}', '{last}', 'paused', '{last}', '{last}', 'Led', 'More is better',
            array['mlp', 'digits'], 'ada', 20
        );
        insert into crucible.experiment_pauses (experiment_id, paused_at, ended_at, reason)
        values ('{EXPERIMENT}', '{first}', '{first + timedelta(minutes=5)}', 'lunch'),
            ('{EXPERIMENT}', '{last}', null, null);
        insert into crucible.runs (
            run_id, experiment_id, first_seen, last_seen, status, kind, model_name, parent_run_id
        )
        values ('{RUN}', '{EXPERIMENT}', '{first}', '{last}', 'completed', 'training', 'mlp', 'led-0')
    """


# A path of the API, what stands in it, and its parameters.
Question = tuple[str, dict[str, str], dict[str, object]]


def questions(begin: datetime) -> Iterator[Question]:
    """Each has an answer."""
    experiments, runs = "/api/v1/experiments", "/api/v1/runs"
    yield f"{experiments}/{{experiment_id}}", {"experiment_id": EXPERIMENT}, {}
    yield experiments, {}, {"status": "paused,archived", "tag": "mlp,digits", "owner": "ada"}
    yield experiments, {}, {"prefix": "le", "text": "BETTER"}
    yield runs, {}, {"status": "completed", "kind": "training", "model": "mlp", "parent": "led-0"}
    period = {"from_": begin.isoformat(), "to": (begin + timedelta(hours=1)).isoformat()}
    yield runs, {}, {"prefix": "led", **period}
    yield runs, {}, {"fields": "status,run_id", "prefix": "led"}
