"""Settings: what wins over what, and how a wrong one is told."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from crucible_collector.errors import SettingsError
from crucible_collector.journal import dead_letters, journal
from crucible_collector.receive import Limits, admission
from crucible_collector.settings import (
    Address,
    Settings,
    parse_address,
)
from crucible_collector.settings_sources import add_arguments, load, reference
from crucible_telemetry import settings as sdk


def loaded(*flags: str, **environment: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return load(parser.parse_args(flags), environment)


def toml(tmp_path: Path, text: str) -> str:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return str(path)


def test_the_defaults_listen_on_loopback_on_the_ports_of_otlp() -> None:
    settings = loaded()
    assert (settings.grpc, settings.http, settings.api) == (
        "127.0.0.1:4317",
        "127.0.0.1:4318",
        "127.0.0.1:8080",
    )
    assert settings.database_url is None


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    config = toml(tmp_path, 'grpc = "127.0.0.1:1"\nhttp = "127.0.0.1:1"\napi = "127.0.0.1:1"\n')
    settings = loaded(
        "--config", config, "--api", "127.0.0.1:3",
        CRUCIBLE_HTTP="127.0.0.1:2", CRUCIBLE_API="127.0.0.1:2",
    )  # fmt: skip
    assert (settings.grpc, settings.http, settings.api) == (
        "127.0.0.1:1",
        "127.0.0.1:2",
        "127.0.0.1:3",
    )


OTHER_THAN_DEFAULT: dict[str, tuple[str, object]] = {
    "data_dir": ("/data", Path("/data")),
    "database_url": ("postgresql://db/x", "postgresql://db/x"),
    "postgres_bin": ("/opt/pg/bin", Path("/opt/pg/bin")),
    "timescaledb": ("off", "off"),
    "grpc": ("127.0.0.1:1", "127.0.0.1:1"),
    "http": ("127.0.0.1:2", "127.0.0.1:2"),
    "api": ("127.0.0.1:3", "127.0.0.1:3"),
    "public_url": ("https://crucible.example.org", "https://crucible.example.org"),
    "insecure": ("true", True),
    "tls_cert": ("/tls/cert.pem", Path("/tls/cert.pem")),
    "tls_key": ("/tls/key.pem", Path("/tls/key.pem")),
    "tls_client_ca": ("/tls/ca.pem", Path("/tls/ca.pem")),
    "require_keys": ("true", True),
    "cors_origins": (
        "https://lab.example, http://127.0.0.1:3000",
        ("https://lab.example", "http://127.0.0.1:3000"),
    ),
    "host_names": ("Lab.example, box", ("lab.example", "box")),
    "requests_per_minute_max": ("1000", 1000),
    "spans_per_s_max": ("5000", 5000),
    "bytes_per_s_max": ("1048576", 1 << 20),
    "query_timeout_s": ("5", 5.0),
    "queries_max": ("4", 4),
    "exports_bytes_max": ("1048576", 1 << 20),
    "exports_keep_s": ("3600", 3600.0),
    "archive_url": ("s3://bucket/runs", "s3://bucket/runs"),
    "prices": ('{"models": []}', {"models": []}),
    "body_bytes_max": ("4096", 4096),
    "in_flight_bytes_max": ("8192", 8192),
    "journal_bytes_max": ("134217728", 1 << 27),
    "journal_segment_bytes": ("1048576", 1 << 20),
    "journal_retain_s": ("1.5", 1.5),
    "dead_letter_bytes_max": ("2097152", 1 << 21),
    "past_days": ("7", 7.0),
    "ahead_s": ("60", 60.0),
    "events_allow": ("crucible_train, forge.*", ("crucible_train", "forge.*")),
    "events_deny": ("crucible_train.batch,", ("crucible_train.batch",)),
    "retention": ("spans=30d, logs=36h", {"spans": timedelta(30), "logs": timedelta(1.5)}),
    "sampling": ('{"rules": []}', {"rules": []}),
    "detection": ('{"enabled": false}', {"enabled": False}),
    "kernel_cache_dir": ("/cache", Path("/cache")),
    "stall_after_intervals": ("5", 5.0),
    "stall_after_min_s": ("60", 60.0),
    "stop_grace_s": ("0", 0.0),
    "log_level": ("debug", "debug"),
}


def test_every_setting_can_be_given_by_environment_and_by_flag() -> None:
    assert OTHER_THAN_DEFAULT.keys() == Settings.model_fields.keys()
    whole = {"CRUCIBLE_TLS_CERT": "c.pem", "CRUCIBLE_TLS_KEY": "k.pem"}  # neither goes alone
    for name, (text, value) in OTHER_THAN_DEFAULT.items():
        beside = whole if name.startswith("tls_") else {}
        assert getattr(loaded(**beside), name) != value
        assert getattr(loaded(**{**beside, f"CRUCIBLE_{name.upper()}": text}), name) == value
        flag = "--" + name.replace("_", "-")
        flags = (flag,) if isinstance(value, bool) else (flag, text)
        assert getattr(loaded(*flags, **beside), name) == value


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--grpc", "4317"), ("grpc = '4317'", "command line", "host:port")),
        (("--grpc", "127.0.0.1:99999"), ("grpc", "host:port")),
        (("--past-days", "soon"), ("past_days = 'soon'", "number")),
        (("--past-days", "0"), ("past_days = '0'", "greater than 0")),
        (("--past-days", "inf"), ("past_days = 'inf'", "finite")),
        (("--past-days", "1e300"), ("past_days = '1e300'", "20000")),
        (("--ahead-s", "1e300"), ("ahead_s = '1e300'", "31622400")),
        (("--stop-grace-s", "inf"), ("stop_grace_s = 'inf'", "finite")),
        (("--host-names", "lab.example:8080"), ("host_names", "the name of a host alone")),
        (("--cors-origins", "*"), ("cors_origins = '*'", "as in https://lab.example")),
        (("--cors-origins", "https://lab.example/x"), ("cors_origins", "scheme and host")),
        (("--timescaledb", "maybe"), ("timescaledb = 'maybe'", "'auto' or 'off'")),
        (("--body-bytes-max", "1"), ("body_bytes_max = '1'", "1024")),
        (("--events-deny", "a, b c"), ("events_deny = 'a, b c'", "'b c'", "crucible_train.batch")),
        (("--retention", "spans=3"), ("retention = 'spans=3' (command line)", "30d or 36h")),
        (("--sampling", "uniform"), ("sampling = 'uniform'", "expected a table, as JSON: ")),
        (("--sampling", "[1]"), ("sampling = '[1]'", '{"rules": []} as JSON')),
        (("--sampling", "[" + " " * 9999), ("sampling = '[   ", " …" + " (command line): ")),
        (("--events-allow", "crucible*"), ("events_allow", "'crucible*'", "up to a dot")),
    ],
)
def test_a_bad_value_is_told_with_key_value_source_and_what_is_accepted(
    flags: tuple[str, ...], says: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as raised:
        loaded(*flags)
    message = str(raised.value)
    assert "\n" not in message
    for part in says:
        assert part in message


def test_sampling_is_a_table_of_the_file_or_its_json(tmp_path: Path) -> None:
    text = '[[sampling.rules]]\nstrategy = "importance"\nbudget_per_s = 200\n'
    told = {"rules": [{"strategy": "importance", "budget_per_s": 200}]}
    config = toml(tmp_path, text)
    assert loaded("--config", config).sampling == told
    assert loaded("--sampling", json.dumps(told)).sampling == told
    assert loaded("--config", config, CRUCIBLE_SAMPLING="{}").sampling == {}


def test_an_unknown_key_in_the_file_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"grcp: unknown setting .*grpc"):
        loaded("--config", toml(tmp_path, 'grcp = "127.0.0.1:4317"\n'))


def test_a_file_that_is_no_toml_or_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        loaded("--config", toml(tmp_path, "grpc ="))
    with pytest.raises(SettingsError, match="No such file"):
        loaded("--config", str(tmp_path / "absent.toml"))


def test_a_database_url_is_never_repeated_since_it_may_hold_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        loaded("--config", toml(tmp_path, 'database_url = ["postgresql://u:secret@db/x"]\n'))
    assert "database_url = …" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_listening_beyond_loopback_is_refused_unless_accepted() -> None:
    with pytest.raises(SettingsError, match="--insecure"):
        loaded("--grpc", "0.0.0.0:4317")
    assert loaded("--grpc", "0.0.0.0:4317", "--insecure").insecure


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:4317", Address("::1", 4317)),
        ("collector.local:80", Address("collector.local", 80)),
    ],
)
def test_addresses_are_read_and_shown_alike(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--grpc", "nonsense", "grpc = 'nonsense'"),
        ("--data-dir", __file__, f"data_dir = {__file__}: File exists"),
        ("--database-url", "nonsense", "database_url = …: expected postgresql://"),
        ("--sampling", '{"rules": [{"strategy": "x"}]}', "sampling rule rule-1: strategy = 'x': "),
    ],
)
def test_the_command_says_a_wrong_setting_in_one_line_and_exits_with_2(
    flag: str, value: str, says: str
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "crucible_collector", "serve", flag, value],
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if not key.startswith("CRUCIBLE_")},
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"crucible-collector: {says}")
    assert answer.stderr.count("\n") == 1


def test_defaults_are_those_of_the_parts_that_they_are_for() -> None:
    settings, limits = loaded(), Limits()
    assert settings.body_bytes_max == limits.body_bytes_max
    assert settings.past_days * 86_400 == limits.past_s
    assert settings.ahead_s == limits.ahead_s
    assert settings.in_flight_bytes_max == admission.BYTES_IN_FLIGHT_MAX
    assert settings.journal_segment_bytes == journal.SEGMENT_BYTES
    assert settings.journal_bytes_max == journal.BYTES_MAX
    assert settings.journal_retain_s == journal.RETAIN_S
    assert settings.dead_letter_bytes_max == dead_letters.DEAD_LETTER_BYTES_MAX


def test_the_readme_has_every_setting_as_it_is() -> None:
    readme = Path(__file__).parents[2] / "collector" / "README.md"
    assert reference() in readme.read_text()


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(SettingsError, match=r"CRUCIBLE_GRCP: unknown .*CRUCIBLE_GRPC is one"):
        loaded(CRUCIBLE_GRCP="127.0.0.1:4317")


def test_variables_of_the_sdk_and_of_tests_are_left_alone() -> None:
    loaded(CRUCIBLE_TEST_DATABASE_URL="postgresql://db/x", OTHER="1")
    named = {value for key, value in vars(sdk).items() if key == value and key.isupper()}
    assert "CRUCIBLE_TELEMETRY" in named
    loaded(**dict.fromkeys(named, "0"))


def test_an_empty_flag_is_refused_since_it_is_an_unset_variable_of_a_shell() -> None:
    with pytest.raises(SettingsError, match=r"data_dir = '' .command line.: expected a value"):
        loaded("--data-dir", "")


@pytest.mark.parametrize(
    "wrong", ["crucible", "ftp://x", "http://", "http://u:p@host", "http://x/?a"]
)
def test_links_of_alerts_begin_with_an_address(wrong: str) -> None:
    assert loaded("--public-url", "https://x.example/sub/").public_url == "https://x.example/sub"
    with pytest.raises(SettingsError, match="public_url = …"):
        loaded("--public-url", wrong)
