"""One request from wire to answer: key, version, address, parameters, idempotency, operation, log."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.stripe.api.endpoint import Call, Endpoint
from sandbox.stripe.api.parameters import check
from sandbox.stripe.api.rendering import render
from sandbox.stripe.model.errors import ApiError, CardError
from sandbox.stripe.model.forms import Params, decode
from sandbox.stripe.model.values import API_VERSION, Json, new_id
from sandbox.stripe.store.account import Account, Cause
from sandbox.stripe.store.records import Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class WireRequest:
    """What arrived."""

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]
    base: str


@dataclass(kw_only=True, slots=True)
class WireAnswer:
    """What goes back."""

    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict)


class Api:
    """The table of endpoints over one account."""

    def __init__(self, account: Account, endpoints: Sequence[Endpoint]) -> None:
        self.account = account
        self.endpoints = endpoints

    def answer(self, wire: WireRequest, note: str | None = None) -> WireAnswer:
        """Serves one request. Never raises ApiError: it becomes the answer. `note` goes into the request log."""
        request_id, params = new_id("req", 14), {}
        key = wire.headers.get("idempotency-key") if wire.method == "POST" else None
        error: str | None = None
        try:
            params = decode(wire.body if wire.method == "POST" else wire.query or wire.body)
            result = self._serve(wire, params, key, request_id)
        except ApiError as problem:
            error = problem.code or problem.kind
            result = WireAnswer(status=problem.status, body=problem.body(request_id))
        result.headers |= {"Request-Id": result.headers.get("Request-Id", request_id), "Stripe-Version": API_VERSION}
        if key:
            result.headers["Idempotency-Key"] = key
        self.account.requests.add(
            request=request_id,
            method=wire.method,
            path=wire.path,
            params=params,
            key=key,
            status=result.status,
            error=error,
            note=note,
        )
        return result

    def _serve(self, wire: WireRequest, params: Json, key: str | None, request_id: str) -> WireAnswer:
        self._authenticate(wire)
        endpoint, path = self._route(wire)
        if key is None:
            return self._run(wire, endpoint, path, params, Cause(request=request_id))
        name = f"{wire.method} {wire.path}"
        fingerprint = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
        known = self.account.idempotency.get(key, self.account.now)
        if known is not None:
            _same_use(key, known, name, fingerprint)
            return WireAnswer(
                status=known.status,
                body=known.body,
                headers={"Idempotent-Replayed": "true", "Original-Request": known.request},
            )
        remember = _Remember(self.account, key, name, fingerprint, request_id)
        return self._run(wire, endpoint, path, params, Cause(request=request_id, idempotency_key=key), remember)

    def _run(
        self,
        wire: WireRequest,
        endpoint: Endpoint,
        path: dict[str, str],
        params: Json,
        cause: Cause,
        remember: _Remember | None = None,
    ) -> WireAnswer:
        check(endpoint, params)
        reader = Params(params)
        call = Call(account=self.account, params=reader, path=path, url=wire.path, base=wire.base)
        refused: CardError | None = None
        body: Json = {}
        with self.account.operation(cause):
            try:
                body = render(self.account, endpoint.handler(call), reader.texts("expand"))
            except CardError as error:
                if not error.keep:
                    raise
                refused, body = error, error.body(cause.request or "")
            # The stored answer is committed with the effect: a client that retries after a crash finds both or neither.
            if remember:
                remember(402 if refused else 200, body)
        if refused is not None:
            return WireAnswer(status=402, body=body)
        return WireAnswer(status=200, body=body)

    def _authenticate(self, wire: WireRequest) -> None:
        scheme, _, value = wire.headers.get("authorization", "").partition(" ")
        key = value.strip()
        if scheme.lower() == "basic":
            key = base64.b64decode(key).decode(errors="replace").partition(":")[0]
        if not key:
            message = (
                "You did not provide an API key. You need to provide your API key in the Authorization header, using"
                " Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
            )
            raise ApiError(message, status=401)
        if key not in self.account.config.api_keys:
            shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 12 else "*" * len(key)  # noqa: PLR2004 - enough to hide
            raise ApiError(f"Invalid API Key provided: {shown}", status=401, code=None)
        version = wire.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            message = f"The Stripe stand-in speaks only version {API_VERSION}; the request asked for {version}."
            raise ApiError(message, code="sandbox_unsupported_version")

    def _route(self, wire: WireRequest) -> tuple[Endpoint, dict[str, str]]:
        for endpoint in self.endpoints:
            match = endpoint.pattern.fullmatch(wire.path)
            if match and endpoint.method == wire.method:
                return endpoint, match.groupdict()
        message = f"Unrecognized request URL ({wire.method}: {wire.path}). The Stripe stand-in knows only what sandbox/stripe/README.md lists."
        raise ApiError(message, status=404)


class _Remember:
    """Stores the answer of an idempotent request."""

    def __init__(self, account: Account, key: str, name: str, fingerprint: str, request_id: str) -> None:
        self.account, self.key, self.name = account, key, name
        self.fingerprint, self.request_id = fingerprint, request_id

    def __call__(self, status: int, body: Json) -> None:
        answer = Answer(
            endpoint=self.name, fingerprint=self.fingerprint, status=status, body=body, request=self.request_id
        )
        self.account.idempotency.put(self.key, answer, self.account.now)


def _same_use(key: str, known: Answer, name: str, fingerprint: str) -> None:
    """Raises idempotency_error when the key was used for something else."""
    if known.endpoint != name:
        message = (
            "Keys for idempotent requests can only be used for the same endpoint they were first used for"
            f" ('{name}' vs '{known.endpoint}'). Try using a key other than '{key}' if you meant to execute a different request."
        )
        raise ApiError(message, kind="idempotency_error")
    if known.fingerprint != fingerprint:
        message = (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try"
            f" using a key other than '{key}' if you meant to execute a different request."
        )
        raise ApiError(message, kind="idempotency_error")
