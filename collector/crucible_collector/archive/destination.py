"""Where an archive lies: a folder of it in S3, GCS, Azure or the file system, by obstore.

Credentials are obstore's to find, in the environment, as each provider's own tools have them; what a URL
would have of them is refused, so that none is ever stored or told.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from crucible_collector.errors import ArchiveError, SettingsError

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "file")
# S3 asks for 5 MB at least; so few parts at a time are so many of these in memory.
PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 4
# What is slowed down or does not answer is asked again, a little later each time, for so long.
RETRIES_MAX = 10
RETRY_TIMEOUT = dt.timedelta(minutes=2)
_FIRST_WAIT, _LONGEST_WAIT = dt.timedelta(milliseconds=100), dt.timedelta(seconds=10)
# The body of an answer may end too early, which the store only notices when it was begun.
READS_MAX = 4
_QUERY = re.compile(r"\?[^\s,\"')]*")
_USER = re.compile(r"//[^\s/@]+@")


def url_of(text: str) -> str:
    """The URL of a place that was given as one, or as a folder's path. SettingsError in one line.

    Nothing of it is repeated where it may have a secret.
    """
    if "://" not in text:
        return Path(text).expanduser().resolve().as_uri()
    split = urlsplit(text)
    if split.username or split.password or split.query or split.fragment or "@" in split.netloc:
        raise SettingsError(
            "the URL of archives has a user, a password or parameters: credentials are taken from the"
            " environment only, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are"
        )
    if split.scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in ("s3", "gs", "az", "file"))
        raise SettingsError(
            f"archives cannot lie at {split.scheme}://…: expected {known} or a path"
        )
    if split.scheme == "file" and split.netloc:
        raise SettingsError("expected file:///directory, with three slashes")
    return text.rstrip("/")


class Destination:
    """The folder of one archive."""

    def __init__(
        self,
        url: str,
        archive_id: uuid.UUID,
        *,
        makes: bool = False,
        retries_max: int = RETRIES_MAX,
        retry_timeout: dt.timedelta = RETRY_TIMEOUT,
    ) -> None:
        """With `makes`, a folder of the file system is made where it is missing. SettingsError."""
        self.archive_id = archive_id
        self.url = url_of(url)
        options: dict[str, Any] = {
            "retry_config": {
                "max_retries": retries_max,
                "retry_timeout": retry_timeout,
                "backoff": {"init_backoff": _FIRST_WAIT, "max_backoff": _LONGEST_WAIT, "base": 2},
            }
        }
        if self.url.startswith("file:"):
            options = {"mkdir": makes}
        try:
            self._store = from_url(self.url, **options)
        except (BaseError, ValueError, OSError) as error:
            raise SettingsError(f"{self.url}: {told(error)}") from None

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Put a file there, wholly or not at all. ArchiveError."""
        try:
            obstore.put(
                self._store,
                self._path(name),
                data,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("write", name, error) from None

    def read(self, name: str) -> bytes:
        """All of a file. ArchiveError; FileNotFoundError where there is none."""
        for attempt in range(1, READS_MAX + 1):
            try:
                return bytes(obstore.get(self._store, self._path(name)).bytes())
            except FileNotFoundError:
                raise FileNotFoundError(f"{self._place(name)} is not there") from None
            except (BaseError, OSError, ValueError) as error:
                if attempt == READS_MAX:
                    raise self._failed("read", name, error) from None
        raise AssertionError("unreachable")

    def size(self, name: str) -> int | None:
        """How large a file is, bytes; None: there is none. ArchiveError."""
        try:
            return int(obstore.head(self._store, self._path(name))["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("look at", name, error) from None

    def clear(self) -> int:
        """Take away all of its files, the manifest first; how many. ArchiveError."""
        prefix = f"{self.archive_id}/"
        try:
            found = [
                str(each["path"]) for some in obstore.list(self._store, prefix) for each in some
            ]
            found.sort(key=lambda path: not path.endswith("manifest.json"))
            for path in found:
                obstore.delete(self._store, path)
        except (BaseError, OSError, ValueError) as error:
            raise self._failed("clear", "", error) from None
        return len(found)

    def _path(self, name: str) -> str:
        return f"{self.archive_id}/{name}"

    def _place(self, name: str) -> str:
        return f"{self.url}/{self._path(name)}"

    def _failed(self, what: str, name: str, error: Exception) -> ArchiveError:
        return ArchiveError(f"cannot {what} {self._place(name)}: {told(error)}")


def told(error: Exception) -> str:
    """What a store says, in a line, without what a signed URL or a user has of secrets."""
    said = str(error).partition("\n")[0].strip() or type(error).__name__
    return _USER.sub("//", _QUERY.sub("", said))
