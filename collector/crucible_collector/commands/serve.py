"""`crucible-collector serve`: receive, store and answer until told to stop."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crucible_collector.settings import Settings
from crucible_collector.settings_sources import load

HELP = "receive, store and answer until told to stop"
LISTENS = True


def add_arguments(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    return (parser,)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    from crucible_collector.service import serve  # noqa: PLC0415

    return serve(settings, lambda: load(arguments))
