"""No secret is in a log, an error, an answer or a metric, whatever is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
from psycopg import conninfo

from collector.access.conftest import Certificates
from collector.access.test_keys_in_use import key_of, post, request_of
from harness import collector

PASSWORD, HOOK_SECRET, UNKNOWN = "db-pass-4711", "hook-secret-4711", f"ct_abcdefgh_{'s' * 43}"


def test_nothing_that_is_logged_answered_or_counted_has_a_secret_in_it(
    tmp_path: Path, plain_database: str, certificates: Certificates
) -> None:
    dsn = conninfo.make_conninfo(plain_database, password=PASSWORD)
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f"""
database_url = "{dsn}"
[[detection.webhooks]]
name = "chat"
url = "http://127.0.0.1:1/hook"
secret_env = "HOOK_SECRET"
"""
    )
    keys = {scope: key_of(plain_database, scope) for scope in ("ingest", "read", "admin")}
    arguments = (
        *certificates.arguments(),
        *("--require-keys", "--log-level", "debug", "--config", str(settings)),
    )
    told = []
    with collector(tmp_path / "data", None, *arguments, HOOK_SECRET=HOOK_SECRET) as running:
        trusts = certificates.context()
        for key in (*keys.values(), UNKNOWN, f"{keys['admin']}x"):
            answer = post(running, request_of("sweep"), key, verify=trusts)
            told += [answer.text, str(answer.headers)]
            headers = {"authorization": f"Bearer {key}", "cookie": f"crucible_key={key}"}
            with httpx.Client(base_url=running.api, headers=headers, verify=trusts) as asking:
                paths = asking.get("/openapi.json").json()["paths"]
                for path in paths:
                    if "{" in path or path.endswith(("/stream", "/live")):
                        continue
                    answer = asking.get(path)
                    told += [answer.text, str(answer.headers)]
                for path in (f"/api/v1/runs/{UNKNOWN}", "/api/v1/runs?limit=x", "/no/such"):
                    told.append(asking.get(path, params={"key": "x"}).headers.get("server", ""))
                told.append(asking.put("/api/v1/sampling", json={"reason": 7}).text)
                told.append(asking.post("/api/v1/session", json={"key": 7, "x": 1}).text)
                told.append(asking.request("DELETE", "/api/v1/keys/nobody").text)
    log = running.log_path.read_text()
    places = ["--config", str(settings), "--data-dir", str(tmp_path / "data")]
    for command in (["doctor", "--no-canary"], ["keys", "list"], ["keys", "create", "--name", "x"]):
        ran = subprocess.run(
            [sys.executable, "-m", "crucible_collector", *command, *places],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told += [ran.stdout, ran.stderr]
    everything = json.dumps(told) + log
    assert "crucible_ledger_records" in everything
    assert "DEBUG" in log
    secrets = {name: key.rpartition("_")[2] for name, key in keys.items()}
    secrets |= {
        "unknown": "s" * 43,
        "password": PASSWORD,
        "webhook": HOOK_SECRET,
        "private key": certificates.key.read_text().splitlines()[1],
    }
    assert [name for name, secret in secrets.items() if secret in everything] == []
