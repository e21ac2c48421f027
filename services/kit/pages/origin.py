"""Did the form come from our own page? Sign-up has no session to steal, but nobody shall order in a visitor's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from clawstack.errors import PermissionDeniedError

#: `none`: typed or bookmarked; absent: a browser from before 2023, or no browser.
_OWN_SITES: Final = frozenset({"same-origin", "none"})


class ForeignFormError(PermissionDeniedError):
    """A form that another site sent in the visitor's name."""

    code = "foreign_form"


def require_own_form(headers: Mapping[str, str], *, base_url: str) -> None:
    """Raises ForeignFormError when the browser says that another site sent the form."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site not in _OWN_SITES:
        raise _refusal()
    if origin is not None and _host(origin) not in {_host(base_url), headers.get("host")}:
        raise _refusal()


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _refusal() -> ForeignFormError:
    return ForeignFormError("This form was sent from another site.", remedy="Open the sign-up page here and try again.")
