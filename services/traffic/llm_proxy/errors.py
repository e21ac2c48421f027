"""What a cell is told when a request is not served, in the shape OpenAI's clients expect.

The assistant shows these sentences to the customer. Read in the gateway's sources (2026.9.6), so that it does:
a 429's own sentence is shown when it says "monthly usage limit" and has at most 300 characters; types and words of
billing ("insufficient_quota", "spending limit", "not available on your current plan") are replaced by a text that
sends the customer to a vendor's billing page; `Retry-After` on a monthly limit would keep the model locked after an
upgrade, so that it is left out there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clawstack.errors import RequestError
from services.traffic.ledger.schemas import next_period_starts


class RefusedError(RequestError):
    """A request that the proxy answers by itself."""

    def __init__(
        self, status: int, code: str, message: str, *, kind: str, retry_after: float | None = None, retry: bool = True
    ) -> None:
        """`kind`: OpenAI's `type`; `retry`: False tells OpenAI's clients to leave it at one try."""
        super().__init__(message, code=code)
        self.http_status = status
        self.kind = kind
        self.retry_after = retry_after
        self.retry = retry

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {"message": self.message, "type": self.kind, "param": None, "code": self.code}}

    def headers(self) -> list[tuple[str, str]]:
        """The answer's headers beside the usual ones."""
        headers = [] if self.retry else [("x-should-retry", "false")]
        if self.retry_after is not None:
            headers.append(("retry-after", str(max(1, round(self.retry_after)))))
        if self.http_status == 401:  # noqa: PLR2004 - the number is the name
            headers.append(("www-authenticate", "Bearer"))
        return headers


def not_authenticated() -> RefusedError:
    """Unknown, malformed and revoked tokens are one case to the one who presents them."""
    return RefusedError(401, "invalid_api_key", "This token is not valid.", kind="invalid_request_error", retry=False)


def not_running() -> RefusedError:
    """The tenant is suspended or about to be deleted."""
    message = "This assistant is paused. Open your account to resume it."
    return RefusedError(403, "tenant_not_running", message, kind="invalid_request_error", retry=False)


def monthly_limit(plan_title: str, period: str) -> RefusedError:
    """The plan's tokens or budget are used up."""
    renewal = next_period_starts(period)
    message = (
        f"Monthly usage limit reached: the allowance of your {plan_title} plan is used up. "
        f"It starts again on {renewal.day} {renewal:%B %Y} (UTC). To go on today, choose a larger plan in your account."
    )
    return RefusedError(429, "monthly_limit_reached", message, kind="rate_limit_error", retry=False)


def under_way() -> RefusedError:
    """What is left is set aside for requests that are still running."""
    message = "What is left of this month's usage is set aside for answers under way. Please try again in 10 seconds."
    return RefusedError(429, "limit_reserved", message, kind="rate_limit_error", retry_after=10)


def too_fast(retry_after: float) -> RefusedError:
    """The token's request rate."""
    message = "Too many requests in a short time. Please try again in a few seconds."
    return RefusedError(429, "rate_limit_exceeded", message, kind="rate_limit_error", retry_after=retry_after)


def too_many_at_once(limit: int) -> RefusedError:
    """The tenant's requests in flight."""
    message = f"Too many requests at once ({limit} are under way). Please try again in a few seconds."
    return RefusedError(429, "concurrency_limit_exceeded", message, kind="rate_limit_error", retry_after=2)


def unknown_model(model: str, allowed: Iterable[str]) -> RefusedError:
    """A model that does not exist, has no price, or is not part of the plan: nobody learns which."""
    message = f"There is no model {model[:60]!r} here. Choose one of: {', '.join(allowed)}."
    return RefusedError(404, "model_not_found", message, kind="invalid_request_error", retry=False)


def bad_request(message: str, *, code: str = "invalid_request") -> RefusedError:
    """A body that cannot be used."""
    return RefusedError(400, code, message, kind="invalid_request_error", retry=False)


def too_large(limit: int) -> RefusedError:
    """A body above the limit."""
    message = f"The request is larger than {limit} bytes. Send less, for example fewer or smaller images."
    return RefusedError(413, "request_too_large", message, kind="invalid_request_error", retry=False)


def too_slow_body() -> RefusedError:
    """A body that does not arrive."""
    message = "The request body did not arrive in time. Send it again."
    return RefusedError(408, "request_timeout", message, kind="invalid_request_error")


def not_offered(path: str) -> RefusedError:
    """An address or protocol that is not metered here, and so refused."""
    message = (
        f"{path[:80]!r} is not offered here. Offered are /v1/chat/completions, /v1/models, /v1/catalog and /v1/usage."
    )
    return RefusedError(404, "not_offered", message, kind="invalid_request_error", retry=False)


def wrong_method(allowed: str) -> RefusedError:
    """The address exists, the method does not."""
    return RefusedError(405, "method_not_allowed", f"Use {allowed} here.", kind="invalid_request_error", retry=False)


def unavailable() -> RefusedError:
    """The ledger cannot be reached: nothing is forwarded that could not be counted."""
    message = "The service is being restarted. Please try again in a moment."
    return RefusedError(503, "ledger_unavailable", message, kind="server_error", retry_after=2)


def not_configured(model: str) -> RefusedError:
    """The operator has not said where this model is served."""
    message = f"The model {model!r} cannot be reached at the moment. Please choose another one."
    return RefusedError(503, "model_unavailable", message, kind="server_error", retry=False)
