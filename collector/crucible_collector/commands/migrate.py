"""`crucible-collector migrate`: the database brought up to date while no collector needs to run."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import Any

from crucible_collector.settings import Settings

HELP = "bring the database up to date, to TimescaleDB where that is there by now"


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    return (parser,)


def run(settings: Settings, _: argparse.Namespace) -> int:
    from crucible_collector.store.upgrade import upgrade  # noqa: PLC0415

    print(upgrade(settings, logging.getLogger("crucible.migrate")))
    return 0


def changes(_: argparse.Namespace) -> tuple[str, dict[str, Any]] | None:
    return "migrate", {}
