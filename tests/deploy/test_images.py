"""What Docker is to build and run: valid, well-formed, and made of what the project has.

Where Docker's daemon answers, it is built and run as well; elsewhere that test is skipped and says so.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import databases
from crucible_collector.settings import Settings
from crucible_collector.settings_sources import add_arguments, load
from harness import collector, eventually

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
# Joined lines, comments gone: one instruction a line.
INSTRUCTIONS = re.sub(
    r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
).splitlines()
LAST_STAGE = INSTRUCTIONS[
    max(n for n, line in enumerate(INSTRUCTIONS) if line.startswith("FROM")) :
]


def environment_of_image() -> dict[str, str]:
    text = " ".join(line.removeprefix("ENV ") for line in LAST_STAGE if line.startswith("ENV "))
    return dict(pair.split("=", 1) for pair in text.split())


def settings_from(environment: dict[str, str]) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return load(parser.parse_args([]), environment)


def copied() -> Iterator[str]:
    """What the image takes from the project."""
    for line in INSTRUCTIONS:
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            yield from words[1:-1]


def let_through() -> list[str]:
    return [line[1:] for line in IGNORED if line.startswith("!")]


def hadolint(dockerfile: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint is not installed: its wheel is for Linux on x86_64 only")
    return subprocess.run(
        [program, "--no-color", "-"], input=dockerfile, capture_output=True, text=True, check=False
    )


def test_the_dockerfile_is_clean() -> None:
    answer = hadolint(DOCKERFILE)
    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_linter_would_object() -> None:
    assert "DL3007" in hadolint("FROM python:latest\n").stdout


def test_the_compose_file_is_valid_and_a_wrong_key_would_be_told() -> None:
    compose_spec = pytest.importorskip(
        "compose_spec",
        reason="compose-spec is not installed: its wheel is for Linux on x86_64 only",
    )
    compose_spec.PyCompose.from_yaml(COMPOSE).validate()
    with pytest.raises(ValueError, match="readonly"):
        compose_spec.PyCompose.from_yaml(COMPOSE.replace("read_only", "readonly"))


def test_what_the_services_refer_to_is_declared() -> None:
    """Which the specification's schema does not say."""
    volumes = {volume.split(":")[0] for each in SERVICES.values() for volume in each["volumes"]}
    assert volumes == set(yaml.safe_load(COMPOSE)["volumes"])
    for each in SERVICES.values():
        for name, wanted in each.get("depends_on", {}).items():
            assert wanted["condition"] == "service_healthy"
            assert "healthcheck" in SERVICES[name]


def test_the_database_is_the_one_that_tests_run_on() -> None:
    assert SERVICES["database"]["image"] == databases.TIMESCALE_IMAGE


def test_ports_are_published_on_loopback_only() -> None:
    assert "ports" not in SERVICES["database"]
    ports = SERVICES["collector"]["ports"]
    assert ports == [f"127.0.0.1:{port}:{port}" for port in (4317, 4318, 8080)]


def test_what_the_image_and_compose_set_are_settings_that_the_collector_takes() -> None:
    environment = environment_of_image() | SERVICES["collector"]["environment"]
    settings = settings_from(environment)
    exposed = next(line for line in LAST_STAGE if line.startswith("EXPOSE")).split()[1:]
    addresses = (settings.grpc, settings.http, settings.api)
    assert addresses == tuple(f"0.0.0.0:{port}" for port in exposed)
    assert settings.insecure
    assert settings.database_url is not None


def test_the_collector_does_not_run_as_root_and_stops_in_time() -> None:
    (user,) = (line.split()[1] for line in LAST_STAGE if line.startswith("USER"))
    assert int(user) > 0
    assert f"--uid {user} " in DOCKERFILE
    grace_s = settings_from(environment_of_image()).stop_grace_s
    assert int(SERVICES["collector"]["stop_grace_period"].rstrip("s")) > grace_s


def test_both_stages_compile_for_the_same_unknown_machine() -> None:
    assert DOCKERFILE.count("NUMBA_CPU_NAME=generic") == 2
    assert DOCKERFILE.count('NUMBA_CPU_FEATURES=""') == 2
    (baked,) = re.findall(r"bake_kernels.py (/\S+)", DOCKERFILE)
    assert environment_of_image()["CRUCIBLE_KERNEL_CACHE_DIR"] == baked


def test_what_the_image_is_built_from_is_there_and_let_through_to_docker() -> None:
    sources = list(copied())
    assert "pyproject.toml" in sources
    for source in sources:
        assert (ROOT / source).exists()
        assert any(f"{through}/".startswith(f"{source}/") for through in let_through()), source


def test_the_distribution_can_be_built_from_that_alone(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in let_through():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", tmp_path, source],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = ROOT / "collector"
    needed = {
        str(path.relative_to(package)) for path in package.glob("crucible_collector/**/*.sql")
    }
    assert len(needed) > 30
    assert needed <= names


def health_checks() -> dict[str, list[str]]:
    (line,) = (line for line in LAST_STAGE if line.startswith("HEALTHCHECK"))
    return {
        "image": json.loads(line[line.index("CMD") + 3 :]),
        "compose": SERVICES["collector"]["healthcheck"]["test"][1:],
    }


@pytest.mark.parametrize("place", ["image", "compose"])
def test_a_health_check_passes_beside_a_collector_and_fails_without(
    place: str, tmp_path: Path, plain_database: str
) -> None:
    program, *arguments = health_checks()[place]
    assert program == "python"

    def is_healthy(api: str) -> bool:
        here = [argument.replace("http://127.0.0.1:8080", api) for argument in arguments]
        assert here != arguments
        return (
            subprocess.run([sys.executable, *here], capture_output=True, check=False).returncode
            == 0
        )

    with collector(tmp_path / "data", plain_database) as running:
        eventually(lambda: is_healthy(running.api), "it is healthy")
        api = running.api
    assert not is_healthy(api)


def test_kernels_are_baked_once_and_found_the_next_time(tmp_path: Path) -> None:
    def bake() -> tuple[str, dict[Path, int]]:
        answer = subprocess.run(
            [sys.executable, ROOT / "deploy/bake_kernels.py", tmp_path],
            env={"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "PATH": "/usr/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        code = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")}
        return answer.stdout, code

    told, compiled = bake()
    assert f"kernels are in {tmp_path}" in told
    assert len(compiled) > 10
    assert bake() == (told, compiled)


def docker(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[list[str]]:
    """The words that lead in a compose command for a project of our own, without fixed ports."""
    if shutil.which("docker") is None or docker("info").returncode != 0:
        pytest.skip("Docker's daemon does not answer: nothing was built or run")
    if docker("compose", "version").returncode != 0:
        pytest.skip("docker has no compose: nothing was built or run")
    override = tmp_path / "override.yml"
    override.write_text("services: {collector: {ports: !reset []}}\n")
    words = ["compose", "-p", f"crucible-test-{tmp_path.name.lower()}", "-f", "docker-compose.yml"]
    words += ["-f", str(override)]
    try:
        yield words
    finally:
        docker(*words, "down", "--volumes", "--rmi", "local")


@pytest.mark.timeout(1800)
def test_it_builds_comes_up_and_the_doctor_finds_nothing_wrong(project: list[str]) -> None:
    up = docker(*project, "up", "--build", "--detach", "--wait")
    assert up.returncode == 0, up.stderr
    examined = docker(*project, "exec", "-T", "collector", "crucible-collector", "doctor", "--json")
    assert examined.returncode == 0, examined.stdout
    assert "TimescaleDB" in examined.stdout
    restarted = docker(*project, "restart", "collector")
    assert restarted.returncode == 0
    assert docker(*project, "up", "--detach", "--wait").returncode == 0
