"""Refusals of the Hetzner Cloud API in the original's envelope. Codes: docs.hetzner.cloud (errors) and hcloud-go's list."""

from collections.abc import Sequence
from typing import Any, Final

# HTTP status by code; whatever is not named here is a conflict of business rules and answers 422.
_STATUS: Final = {
    "json_error": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "token_readonly": 403,
    "protected": 403,
    "resource_limit_exceeded": 403,  # seen in hetzner-k3s issue 64
    "limit_exceeded_error": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "deprecated_api_endpoint": 410,
    "uniqueness_error": 409,
    "conflict": 409,
    "resource_in_use": 409,
    "service_error": 409,
    "volume_already_attached": 409,
    "resource_unavailable": 412,
    "placement_error": 412,
    "locked": 423,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "bad_gateway": 502,
    "maintenance": 503,
    "timeout": 504,
}


class ApiError(Exception):
    """A request that the API refuses. `status` follows from the code unless it is given."""

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None, status: int = 0) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.details = details
        self.status = status or _STATUS.get(code, 422)

    def body(self) -> dict[str, Any]:
        """Return the answer as the original shapes it."""
        return {"error": self.as_action_error() | {"details": self.details}}

    def as_action_error(self) -> dict[str, Any]:
        """Return the short shape that a failed action carries."""
        return {"code": self.code, "message": self.message}


def invalid(field: str, *messages: str) -> ApiError:
    """Return `invalid_input` for one field."""
    return invalid_fields([(field, messages)])


def invalid_fields(fields: Sequence[tuple[str, Sequence[str]]]) -> ApiError:
    """Return `invalid_input` that names every wrong field with what is wrong."""
    names = ", ".join(f"'{name}'" for name, _ in fields)
    told = [{"name": name, "messages": list(messages)} for name, messages in fields]
    return ApiError("invalid_input", f"invalid input in field {names}", {"fields": told})


def not_found(what: str, which: object) -> ApiError:
    """Return the 404 for an id or name that this project does not have."""
    return ApiError("not_found", f"{what} with ID '{which}' not found")


def taken(what: str, field: str = "name") -> ApiError:
    """Return the refusal of a value that must be unique in the project."""
    return ApiError("uniqueness_error", f"{what} {field} is already used", {"fields": [{"name": field}]})


def over_quota(limit: str) -> ApiError:
    """Return the refusal of one more than the project may have."""
    return ApiError("resource_limit_exceeded", f"{limit} exceeded", {"limits": [{"name": limit}]})


def locked(what: str) -> ApiError:
    """Return the refusal while another action runs."""
    return ApiError("locked", f"{what} is locked: another action is running")


def protected(what: str, which: object) -> ApiError:
    """Return the refusal of what the owner protected."""
    return ApiError("protected", f"{what} with ID '{which}' is protected")
