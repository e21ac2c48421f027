"""Stripe's errors, in Stripe's shape.

ApiError
├── invalid_request_error   400, 404: the request is wrong
├── authentication          401: no key, or not one of ours
├── idempotency_error       400: the key was used for something else
└── CardError               402: the bank said no; what happened up to there stays recorded
"""

from __future__ import annotations

from sandbox.stripe.model.values import Json


class ApiError(Exception):
    """Anything that Stripe answers with an error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        extra: Json | None = None,
    ) -> None:
        """`code` and `param` as in Stripe's error reference; `extra` joins the error object."""
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.extra = extra or {}

    def body(self, request_id: str) -> Json:
        """The answer's JSON."""
        error: Json = {"message": self.message, "type": self.kind}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        error["request_log_url"] = f"https://dashboard.stripe.com/test/workbench/logs?object={request_id}"
        return {"error": error | self.extra}


class CardError(ApiError):
    """The bank refused. `decline_code` says why; effects recorded before it are kept."""

    def __init__(
        self, message: str, *, code: str, decline_code: str | None, extra: Json | None = None, keep: bool = True
    ) -> None:
        """`extra` carries the charge as Stripe's does; `keep` false undoes the whole request (error_if_incomplete)."""
        details: Json = dict(extra or {})
        if decline_code:
            details["decline_code"] = decline_code
        super().__init__(message, status=402, kind="card_error", code=code, extra=details)
        self.decline_code = decline_code
        self.keep = keep


def missing_object(noun: str, identifier: str, param: str = "id", *, in_path: bool = False) -> ApiError:
    """`No such customer: 'cus_x'`: 404 for the object in the address, 400 for one named in a parameter."""
    return ApiError(
        f"No such {noun}: '{identifier}'", status=404 if in_path else 400, code="resource_missing", param=param
    )


def missing_parameter(param: str) -> ApiError:
    """A required parameter was left out."""
    return ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown_parameter(param: str) -> ApiError:
    """A parameter Stripe does not know at all."""
    return ApiError(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def unsupported_parameter(param: str) -> ApiError:
    """Stripe knows the parameter, this stand-in does not act on it: it says so rather than ignore it."""
    return ApiError(
        f"The Stripe stand-in does not simulate the parameter '{param}'. Leave it out, or teach sandbox/stripe about it.",
        code="sandbox_unsupported_parameter",
        param=param,
    )
