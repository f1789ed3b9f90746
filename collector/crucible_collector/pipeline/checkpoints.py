"""What detectors and samplers know, on the collector's own disk with the place in the journal that it belongs to.

A checkpoint is made while a window waits to be written and counts once that is committed: only then is
it renamed to its name, so that what is found after a crash is never ahead of the database.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crucible_collector.sample.strategy import State
from crucible_collector.store.positions import Place

log = logging.getLogger("crucible.pipeline")

_ABOUT = "about"
_FORMAT = 2
# What an archive that is cut, damaged or somebody else's raises, by where it is.
_UNREADABLE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was known when the journal was seen and decided up to `place`."""

    place: Place
    state: State


@dataclass(frozen=True, slots=True)
class Staged:
    """A checkpoint that is on the disk and does not count yet."""

    place: Place
    draft: Path
    path: Path

    def publish(self) -> None:
        """Let it count. Raises OSError."""
        self.draft.rename(self.path)


class Checkpoints:
    """One file of one journal. Staged by the preparing thread, published by the one that writes."""

    def __init__(self, directory: Path, journal_id: uuid.UUID) -> None:
        self._path = directory / "learned.npz"
        self._journal_id = str(journal_id)

    def load(self) -> Checkpoint | None:
        """The last one that counts; None where there is none of this journal that can be read."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                about = json.loads(bytes(found[_ABOUT]))
                state = {name: found[name] for name in found.files if name != _ABOUT}
            whose = about["format"], about["journal_id"]
            place = Place(about["position"], about["decided"])
        except FileNotFoundError:
            return None
        except _UNREADABLE as error:
            log.warning("the checkpoint %s cannot be read: %r", self._path, error)
            return None
        if whose != (_FORMAT, self._journal_id):
            log.warning("the checkpoint %s is of another journal or release", self._path)
            return None
        return Checkpoint(place, state)

    def stage(self, place: Place, state: State) -> Staged:
        """Write it beside the one that counts, down to the medium. Raises OSError."""
        about = {
            "format": _FORMAT,
            "journal_id": self._journal_id,
            "position": place.position,
            "decided": place.decided,
        }
        arrays = {_ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8), **state}
        draft = self._path.with_suffix(".draft")
        with draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type] # its keywords are the arrays' names
            file.flush()
            os.fsync(file.fileno())
        return Staged(place, draft, self._path)
