"""Exports, from the request to files that are whole.

A file is written beside its place under the export's id, and gets its name once its size is right: what lies
there under its name is whole, and a download that broke off goes on from there, also in another process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import httpx

from crucible_telemetry.client.line import BROKEN_ATTEMPTS_MAX, Line
from crucible_telemetry.client.refusal import ApiError

_WAIT_FIRST_S, _WAIT_LAST_S = 0.05, 2.0
_BAR = 40
_DONE = "completed"


class Downloads:
    """Starts exports and fetches them, telling how far they are."""

    def __init__(self, line: Line, progress: bool | Callable[[float], None] | None) -> None:
        self._line = line
        if callable(progress):
            self._tell = progress
        else:
            is_shown = sys.stderr.isatty() if progress is None else progress
            self._tell = _show if is_shown else _say_nothing

    def start(self, body: Mapping[str, Any]) -> str:
        return str(self._line.sent("POST", "/exports", body)["job_id"])

    def job(self, export_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._line.data(f"/exports/{quote(export_id, safe='')}", {})
        return found

    def fetch(self, export_id: str, path: Path, *, is_folder: bool) -> list[Path]:
        """Wait for the export and write its files to `path`. ApiError where it fails, OSError."""
        report = self._completed(export_id)
        files = report["files"]
        if report["file_count"] > len(files):
            raise ApiError(
                "download_failed",
                f"the export has {report['file_count']} files, of which {len(files)} are named:"
                " `crucible-collector export` writes them where it runs",
            )
        if not is_folder and len(files) != 1:
            raise ApiError("download_failed", f"the export has {len(files)} files, not one")
        byte_count = max(sum(each["byte_count"] for each in files), 1)
        fetched, written = 0, []
        for each in files:
            place = path / _inside(each["name"]) if is_folder else path
            self._file(export_id, each, place)
            fetched += each["byte_count"]
            written.append(place)
            self._tell(0.5 + fetched / byte_count / 2)
        self._tell(1.0)
        return written

    def _completed(self, export_id: str) -> dict[str, Any]:
        """The report of the export, once it is done: the first half of the way."""
        wait_s = _WAIT_FIRST_S
        while True:
            job = self.job(export_id)
            if job["state"] == _DONE:
                report: dict[str, Any] = job["report"]
                return report
            if job["state"] != "running":
                told = job["error"] or f"the export was {job['state']}"
                raise ApiError("export_failed", told, job)
            self._tell(job["progress"] / 2)
            time.sleep(wait_s)
            wait_s = min(wait_s * 1.5, _WAIT_LAST_S)

    def _file(self, export_id: str, file: Mapping[str, Any], place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{export_id}.part")
        url = f"/exports/{quote(export_id, safe='')}/files/{quote(file['name'], safe='/=')}"
        failed = 0
        while (size := _size(part)) != file["byte_count"]:
            if size > file["byte_count"]:
                part.unlink()
                raise ApiError("download_failed", f"{file['name']}: more came than there is")
            try:
                self._piece(url, part, size)
            except httpx.TransportError as error:
                failed = 1 if _size(part) > size else failed + 1
                if failed == BROKEN_ATTEMPTS_MAX:
                    self._line.unreachable(error)
                time.sleep(_WAIT_FIRST_S * 2**failed)
            else:
                if _size(part) == size:
                    raise ApiError("download_failed", f"{file['name']} ends too early")
        part.touch()
        part.replace(place)

    def _piece(self, url: str, part: Path, size: int) -> None:
        headers = {"accept-encoding": "identity"}
        if size:
            headers["range"] = f"bytes={size}-"
        with self._line.stream(url, {}, headers) as response:
            goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
            with part.open("ab" if goes_on else "wb") as file:
                for piece in response.iter_bytes(1 << 20):
                    file.write(piece)


def _inside(name: str) -> PurePosixPath:
    """A file's name as a path below a directory; ApiError for one that would lead out of it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ApiError("download_failed", f"{name!r} is no name of a file of an export")
    return path


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _show(share: float) -> None:
    filled = round(share * _BAR)
    end = "\n" if share >= 1 else ""
    sys.stderr.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%}{end}")
    sys.stderr.flush()


def _say_nothing(share: float) -> None:
    del share
