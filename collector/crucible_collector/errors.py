"""Every exception the collector raises on purpose.

    CollectorError
    ├── SettingsError          start-up stops with this one line, exit code 2
    ├── RefusedError           the sender is answered with it; it never unwinds further
    │   ├── MalformedError     the sender's fault, never to be retried
    │   ├── TooLargeError      the sender's fault, never to be retried
    │   ├── UnauthenticatedError nobody knows who sends it; with a key it may be retried
    │   ├── ForbiddenError     the sender's key is not for this
    │   └── OverloadedError    ours (or the disk's, or the database's): come back in `retry_after_s`
    │       └── TooFastError   the sender's, who is over a limit: come back likewise
    ├── ChangedMeanwhileError  a change of settings follows a version that is not in force any more
    ├── NotComparableError     a comparison that would mean nothing; the message says why
    ├── ExportError            an export cannot be written: no room for it, or the disk's fault
    ├── ArchiveError           an archive's files cannot be reached, or are not what was written
    ├── JournalError           the journal directory cannot be used
    │   └── JournalLockedError another collector holds it
    └── DatabaseError          the database cannot be used as asked (wrong version, no rights)
        ├── NewerDatabaseError a newer collector made it; exit code 2
        ├── DatabaseAwayError  it does not answer now; asking again later is right
        ├── QueryTooSlowError  a reader's query ran into its time limit
        ├── QueriesTooManyError so many questions are being asked that one more does not get its turn
        └── AnswerTooLargeError the rows of an answer are more bytes than one answer may have

Two questions pick the class: may the sender retry, and whose fault is it? One table in
`receive.answers` maps RefusedError to gRPC and HTTP. A bad record is not an exception at all but a
`batch.Reason`.
"""

from __future__ import annotations


class CollectorError(Exception):
    """The root: catching it catches what the collector itself found wrong."""


class SettingsError(CollectorError):
    """A setting is unknown or has a bad value; the message names key, value and what is accepted."""


class RefusedError(CollectorError):
    """A whole request is refused; `reason` is the word counted in the ledger and in metrics."""

    reason = "refused"


class MalformedError(RefusedError):
    """The body is not what it says it is (protobuf, JSON, gzip, content type)."""

    reason = "malformed"


class TooLargeError(RefusedError):
    """The body is over a limit after decompression, or has more records than one request may."""

    reason = "too_large"


class UnauthenticatedError(RefusedError):
    """An API key is asked for, and there is none, or none that is valid."""

    reason = "unauthenticated"


class ForbiddenError(RefusedError):
    """The API key is valid, and not for this; or another site's page sends it without one."""

    reason = "forbidden"


class OverloadedError(RefusedError):
    """Nothing is wrong with the request; there is no room for it now."""

    reason = "overloaded"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooFastError(OverloadedError):
    """A key or an address has sent or asked as much as it may, for now."""

    reason = "rate_limited"


class ChangedMeanwhileError(CollectorError):
    """Settings were changed by somebody else since they were read: read them again."""


class NotComparableError(CollectorError):
    """What is to be compared cannot be, so that an answer would mean nothing; the message says why."""


class ExportError(CollectorError):
    """An export cannot be written where it should go."""


class ArchiveError(CollectorError):
    """An archive, or the place that it lies at, cannot be read or written, or has changed."""


class JournalError(CollectorError):
    """The journal directory cannot be used."""


class JournalLockedError(JournalError):
    """Another collector works on this data directory."""


class DatabaseError(CollectorError):
    """The database cannot be used as asked."""


class NewerDatabaseError(DatabaseError):
    """A newer collector made the database, which this one does not understand."""


class DatabaseAwayError(DatabaseError):
    """The database does not answer now; the same question later is right."""


class QueryTooSlowError(DatabaseError):
    """A reader's query ran into its time limit; a narrower question may not."""


class QueriesTooManyError(DatabaseError):
    """As many questions as may be are being asked; the same one later is right."""


class AnswerTooLargeError(DatabaseError):
    """The rows are more bytes than one answer may have; fewer rows may not be."""
