"""Errors that people read: what went wrong, why, and what to do about it.

    ClawstackError
    ├── TemporaryError          try again after `retry_after` seconds
    ├── PermanentError          trying again changes nothing; 500 means page someone
    ├── NeedsAttentionError     the customer or an operator must act first
    └── RequestError            the caller's request cannot be served (4xx)
        ├── InvalidInputError       422  the value cannot be used at all
        ├── NotFoundError           404
        ├── ConflictError           409  the value is fine, the present state forbids it
        ├── AuthenticationError     401
        ├── PermissionDeniedError   403
        ├── PayloadTooLargeError    413
        ├── LimitExceededError      429  a plan's or budget's limit; `retry_after` where known
        └── PaymentRequiredError    402

Every error has a stable `code` (lower-case words joined by underscores: it is an API value) and a sentence that names
the value, the allowed set and the remedy. Sentences never contain secrets.
"""

from __future__ import annotations

from typing import ClassVar


class ClawstackError(Exception):
    """Root of all errors this project raises on purpose."""

    code: str = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None) -> None:
        """`message` says what and why; `remedy` what to do; `code` narrows the class's own code."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def sentence(self) -> str:
        """Message and remedy as one text for a person."""
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class TemporaryError(ClawstackError):
    """The outside world is busy or absent; the same call may succeed later."""

    code = "temporarily_unavailable"
    status: ClassVar[int] = 503

    def __init__(
        self, message: str, *, retry_after: float = 5.0, code: str | None = None, remedy: str | None = None
    ) -> None:
        """`retry_after`: seconds that the caller should wait at least."""
        super().__init__(message, code=code, remedy=remedy)
        self.retry_after = retry_after


class PermanentError(ClawstackError):
    """Repeating the call cannot help, and nobody outside can mend it."""

    code = "permanent_failure"


class NeedsAttentionError(ClawstackError):
    """The customer or an operator must act before this can go on."""

    code = "needs_attention"
    status: ClassVar[int] = 409


class RequestError(ClawstackError):
    """The request, not the platform, is the reason."""

    code = "bad_request"
    status: ClassVar[int] = 400


class InvalidInputError(RequestError):
    """A value that cannot be used; the sentence names it and the allowed set."""

    code = "invalid_input"
    status: ClassVar[int] = 422


class NotFoundError(RequestError):
    """No such thing, or none that the caller may see."""

    code = "not_found"
    status: ClassVar[int] = 404


class ConflictError(RequestError):
    """A sound request that the present state forbids."""

    code = "conflict"
    status: ClassVar[int] = 409


class AuthenticationError(RequestError):
    """No token, or one that is not valid."""

    code = "not_authenticated"
    status: ClassVar[int] = 401


class PermissionDeniedError(RequestError):
    """A valid token without the scope that this needs."""

    code = "permission_denied"
    status: ClassVar[int] = 403


class PayloadTooLargeError(RequestError):
    """The body is larger than this route accepts."""

    code = "payload_too_large"
    status: ClassVar[int] = 413


class PaymentRequiredError(RequestError):
    """The subscription does not cover this."""

    code = "payment_required"
    status: ClassVar[int] = 402


class LimitExceededError(RequestError):
    """A rate, token or money limit is used up."""

    code = "limit_exceeded"
    status: ClassVar[int] = 429

    def __init__(
        self, message: str, *, retry_after: float | None = None, code: str | None = None, remedy: str | None = None
    ) -> None:
        """`retry_after`: seconds until the limit renews, None when only a person can lift it."""
        super().__init__(message, code=code, remedy=remedy)
        self.retry_after = retry_after


def as_asked_by_the_platform(error: ClawstackError) -> ClawstackError:
    """`error` where the refused request was the platform's own: no caller can mend it, so somebody must act."""
    if isinstance(error, RequestError):
        return NeedsAttentionError(error.message, code=error.code, remedy=error.remedy)
    return error
