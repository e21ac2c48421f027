"""What a platform shows to anybody: its pages, and what became of a sign-up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import httpx

from clawstack.errors import InvalidInputError, PermanentError, TemporaryError

T = TypeVar("T")

_PAGE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 1.0
"""The public address answers at most so often to one caller."""
_TELL_SECONDS: Final = 15.0
_CREATED: Final = 201
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """A sign-up that waits for its payment."""

    signup_id: str
    checkout_url: str


class Platform:
    """The platform at an address."""

    def __init__(
        self,
        url: str,
        *,
        say: Callable[[str], object],
        token: str = "",
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`token`: an operator's, for what only an operator sees. `transport`, `sleep`: for tests."""
        address = httpx.URL(url)
        if address.scheme not in {"http", "https"} or not address.host or address.userinfo:
            raise InvalidInputError(
                f"{url[:200]!r} is no address of a platform.",
                code="bad_url",
                remedy="Give the one of CLAWSTACK_PUBLIC_URL, as https://staging.example.",
            )
        self.url = url.rstrip("/")
        self._say = say
        self._sleep = sleep
        self._token = token
        self._http = httpx.Client(base_url=self.url, timeout=_PAGE_SECONDS, transport=transport, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def sees_usage(self) -> bool:
        """Whether an operator's token was given."""
        return bool(self._token)

    def page(self, path: str) -> str:
        """A page as a browser gets it. Raises PermanentError where it is not served."""
        answer = self._asked("GET", path)
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise PermanentError(f"{self.url}{path} answered {answer.status_code}.", code="page_not_served")
        return answer.text

    def order(self, order: dict[str, Any]) -> Ordered:
        """Sign up. Raises PermanentError with the platform's words where it does not sell."""
        answer = self._asked("POST", "/v1/checkout", json=order)
        if answer.status_code != _CREATED:
            raise PermanentError(f"The sign-up answered {answer.status_code}: {answer.text[:400]}", code="not_sold")
        told = answer.json()
        return Ordered(signup_id=told["signup_id"], checkout_url=told["checkout_url"])

    def status(self, signup_id: str) -> dict[str, Any] | None:
        """What the sign-up's public status says, None where the platform is out of breath."""
        answer = self._asked("GET", f"/v1/checkout/{signup_id}")
        if answer.status_code >= _SERVER_ERROR or answer.status_code == 429:  # noqa: PLR2004 - too many requests
            return None
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise PermanentError(f"The sign-up's status answered {answer.status_code}.", code="status_not_told")
        told: dict[str, Any] = answer.json()
        return told

    def tokens_used(self, signup_id: str) -> int:
        """Tokens on the ledger of the sign-up's tenant; asks as an operator."""
        headers = {"authorization": f"Bearer {self._token}"}
        slug = self._told(f"/v1/admin/signups/{signup_id}", headers)["tenant"]
        return int(self._told(f"/v1/tenants/{slug}/usage", headers)["tokens_used"]) if slug else 0

    def await_(self, probe: Callable[[], T | None], what: str, *, seconds: float) -> T:
        """The first truthy answer of `probe`; raises TemporaryError when it takes longer."""
        begun = told = time.monotonic()
        while (now := time.monotonic()) - begun < seconds:
            if found := probe():
                return found
            if now - told >= _TELL_SECONDS:
                told = now
                self._say(f"waiting for {what} ({now - begun:.0f} s)")
            self._sleep(_POLL_SECONDS)
        raise TemporaryError(f"Waited {seconds:.0f} s for {what} in vain.", code="took_too_long")

    def _told(self, path: str, headers: dict[str, str]) -> Any:
        answer = self._asked("GET", path, headers=headers)
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            raise PermanentError(
                f"{path} answered {answer.status_code} to the operator's token.",
                code="token_refused",
                remedy="`clawstack token create smoke` on the platform makes one.",
            )
        return answer.json()

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise TemporaryError(f"{self.url} does not answer: {error}.", code="platform_unreachable") from error
