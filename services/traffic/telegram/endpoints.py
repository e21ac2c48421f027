"""Updates that Telegram pushes: `POST /webhooks/telegram/{bot}`. 200 only after the update is committed."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clawstack.errors import InvalidInputError, PayloadTooLargeError, TemporaryError
from clawstack.logs import get_logger
from services.kit.http.bodies import read_body
from services.kit.http.errors import error_body
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.errors import MalformedUpdateError
from services.traffic.telegram.model.schemas import SECRET_HEADER
from services.traffic.telegram.model.updates import parse_update
from services.traffic.telegram.service import Receiver

log = get_logger(__name__)


class WebhookIntake:
    """Takes one update per request. Telegram repeats what was not answered with 2xx; the repetition is recognised."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        identity: BotIdentity,
        secret: Callable[[], Awaitable[str]],
        max_bytes: int,
        metrics: RouterMetrics,
    ) -> None:
        """`secret`: what Telegram must repeat in its header; `max_bytes`: of one body."""
        self._receiver = receiver
        self._identity = identity
        self._secret = secret
        self._max_bytes = max_bytes
        self._metrics = metrics

    def app(self) -> Starlette:
        """The application to mount at `/webhooks/telegram`."""
        return Starlette(routes=[Route("/{bot}", self.receive, methods=["POST"])])

    async def receive(self, request: Request) -> Response:
        """One update. Nothing is read, let alone stored, before the secret was right."""
        try:
            bot = self._identity.name
            if bot is None:
                return _refuse(503, "not_ready", "The bot has not introduced itself yet.")
            if not _same(request.headers.get(SECRET_HEADER), await self._secret()):
                self._metrics.intake_errors.labels("secret").inc()
                log.warning("telegram_webhook_refused", reason="secret missing or wrong")
                return _refuse(401, "not_authenticated", f"{SECRET_HEADER} is missing or wrong.")
            if request.path_params["bot"].lower() != bot.lower():
                return _refuse(404, "not_found", "No such bot.")
            return await self._store(bot, request)
        except TemporaryError as error:
            self._metrics.intake_errors.labels("unavailable").inc()
            return _refuse(503, error.code, error.message, {"Retry-After": "1"})
        except SQLAlchemyError as error:  # its text holds what a person wrote: it must not be logged
            self._metrics.intake_errors.labels("not_storable").inc()
            log.error("telegram_update_not_stored", error=type(error).__name__)  # noqa: TRY400
            return _refuse(500, "internal_error", "The update could not be stored; it has been recorded.")

    async def _store(self, bot: str, request: Request) -> Response:
        try:
            raw = await read_body(request.scope, request.receive, limit=self._max_bytes)
            update = parse_update(raw, bot=bot)
            outcome = await self._receiver.receive(bot, update)
        except MalformedUpdateError as error:
            self._metrics.intake_errors.labels("malformed").inc()
            return _refuse(400, error.code, error.message)
        except InvalidInputError as error:  # a text in it cannot be stored
            self._metrics.intake_errors.labels("not_storable").inc()
            return _refuse(400, error.code, error.message)
        except PayloadTooLargeError as error:
            return _refuse(413, error.code, error.message)
        except ClientDisconnect:
            return _refuse(400, "bad_request", "The body broke off.")
        except TimeoutError:
            return _refuse(408, "request_timeout", "The body did not arrive in time.")
        self._metrics.updates.labels(outcome).inc()
        return Response(status_code=200)


def _same(presented: str | None, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest((presented or "").encode(), secret.encode())


def _refuse(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(error_body(code, message), status, headers=headers)
