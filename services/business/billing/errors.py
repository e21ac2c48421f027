"""Errors of billing: what Stripe refused, translated once, at the border."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pydantic
import stripe

from clawstack.errors import (
    ClawstackError,
    PaymentRequiredError,
    PermanentError,
    RequestError,
    TemporaryError,
)

_KEY_RETRY: Final = 60.0  # somebody must change a setting first
_BUSY_RETRY: Final = 2.0
_CONFLICT: Final = 409
_SERVER_ERROR: Final = 500
_NOT_FOUND: Final = 404


class SignatureRefusedError(RequestError):
    """A webhook call that Stripe did not sign for us, or not lately."""

    code = "invalid_signature"


class MalformedEventError(RequestError):
    """A signed body that is no Stripe event."""

    code = "malformed_event"


class StripeNotFoundError(PermanentError):
    """Stripe does not know the object."""

    code = "stripe_not_found"


class StripeNotConfiguredError(TemporaryError):
    """There is no API key yet; jobs wait until there is."""

    code = "stripe_not_configured"


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the official library raises into this project's errors, chained and without bodies."""
    try:
        yield
    except stripe.StripeError as error:
        raise _translate(error) from error
    except pydantic.ValidationError as error:
        raise PermanentError(
            f"Stripe answered in a shape that this version does not know ({error.error_count()} fields of {error.title}).",
            code="stripe_shape",
            remedy="Compare the API version of the stripe library with the one that this project was made for.",
        ) from error


def _translate(error: stripe.StripeError) -> ClawstackError:  # noqa: PLR0911 - one line per kind of refusal
    if isinstance(error, stripe.RateLimitError):
        return TemporaryError("Stripe asks us to slow down.", code="stripe_rate_limited", retry_after=_wait_of(error))
    if isinstance(error, stripe.APIConnectionError):
        return TemporaryError("Stripe does not answer.", code="stripe_unreachable", retry_after=_BUSY_RETRY)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return TemporaryError(
            "Stripe refuses our API key.",
            code="stripe_key_refused",
            retry_after=_KEY_RETRY,
            remedy="Set CLAWSTACK_STRIPE_API_KEY to a valid key of this account; waiting jobs go on by themselves.",
        )
    if isinstance(error, stripe.CardError):
        return PaymentRequiredError(f"The card was declined ({error.code}).", code="card_declined")
    status = error.http_status or 0
    if status == _CONFLICT or status >= _SERVER_ERROR or isinstance(error, stripe.APIError):
        return TemporaryError("Stripe has a problem of its own.", code="stripe_unavailable", retry_after=_BUSY_RETRY)
    detail = str(error.user_message or "no reason given")[:300]
    if status == _NOT_FOUND or error.code == "resource_missing":
        return StripeNotFoundError(f"Stripe does not know what was asked for: {detail}")
    return PermanentError(f"Stripe refused the request: {detail}", code="stripe_refused")


def _wait_of(error: stripe.StripeError) -> float:
    try:
        return max(_BUSY_RETRY, float((error.headers or {}).get("retry-after", _BUSY_RETRY)))
    except (TypeError, ValueError):
        return _BUSY_RETRY
