"""What is raised where a collector does not give what was asked for."""

from __future__ import annotations

from typing import Any

import httpx


class ApiError(Exception):
    """A question was refused, or nobody answered it.

    `code` is for programs (`invalid_parameter`, `not_found`, `not_comparable`, …; `unreachable` where no collector
    answered, `export_failed` and `download_failed` of exports), the text for people, `details` is what else
    the collector said; `status` is None where there was no answer.
    """

    def __init__(
        self, code: str, message: str, details: Any = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = {} if details is None else details
        self.status = status


def refusal(response: httpx.Response) -> ApiError:
    """What an answer that is not 2xx says; its body has been read."""
    try:
        error = response.json()["error"]
        return ApiError(error["code"], error["message"], error["details"], response.status_code)
    except (ValueError, KeyError, TypeError):  # a proxy's, or no collector at all
        told = f"{response.status_code} {response.reason_phrase} from {response.url}"
        return ApiError("unexpected_answer", told, status=response.status_code)
