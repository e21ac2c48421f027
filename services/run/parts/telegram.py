"""Wiring of the Telegram router; decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from clawstack.background import background
from clawstack.logs import get_logger
from services.kit.context import Platform
from services.kit.metrics import registered
from services.kit.parts import Part
from services.traffic.telegram import tasks
from services.traffic.telegram.bot import RealBot
from services.traffic.telegram.endpoints import WebhookIntake
from services.traffic.telegram.identity import BotIdentity
from services.traffic.telegram.metrics import RouterMetrics
from services.traffic.telegram.model.schemas import MAX_UPLOAD_BYTES, Retention, Timings
from services.traffic.telegram.replies import Speaker
from services.traffic.telegram.secret import IntakeSecret
from services.traffic.telegram.service import Receiver
from services.traffic.telegram.tokens import ChannelAuthenticator
from services.traffic.telegram.update_source import Leadership, Poller, WebhookKeeper
from services.traffic.telegram.virtual.api import VirtualBotApi
from services.traffic.telegram.virtual.forwarding import Forwarder
from services.traffic.telegram.virtual.local import VirtualWebhooks
from services.traffic.telegram.virtual.polls import Polls
from services.traffic.telegram.virtual.push import Pusher
from services.traffic.telegram.wakeups import Wakeups

log = get_logger(__name__)

_RESTART_SECONDS: Final = 1.0


def create_part(platform: Platform, *, timings: Timings | None = None) -> Part:
    """The router on `platform`. Opens nothing until its lifespan is entered."""
    router = _Router(platform=platform, timings=timings or Timings())
    return Part(
        name="telegram",
        mounts={"/telegram": router.virtual_api().app(), "/webhooks/telegram": router.webhook_intake().app()},
        lifespan=router.running,
        register_tasks=tasks.register(platform.database, Retention()),
    )


@dataclass(kw_only=True)
class _Router:
    """What the pieces share."""

    platform: Platform
    timings: Timings

    def __post_init__(self) -> None:
        settings, database = self.platform.settings, self.platform.database
        self.metrics = RouterMetrics()
        self.wakeups = Wakeups(database_url=database.url)
        self.real_bot = RealBot(
            api_root=settings.telegram_api_root,
            token=settings.telegram_bot_token,
            timeout=self.timings.upstream_timeout.total_seconds(),
        )
        self.identity = BotIdentity(
            database=database,
            real_bot=self.real_bot,
            username=settings.telegram_bot_username,
            ttl=self.timings.identity_ttl,
        )
        self.secret = IntakeSecret(
            configured=settings.telegram_webhook_secret,
            database=database,
            master_key=self.platform.master_key,
            redactor=self.platform.redactor,
            identity=self.identity,
        )
        self.receiver = Receiver(database=database)
        self.authenticator = ChannelAuthenticator(database=database, wakeups=self.wakeups, ttl=self.timings.token_ttl)
        self.platform_ports = frozenset({settings.port} - {0})

    def virtual_api(self) -> VirtualBotApi:
        """What cells talk to."""
        database = self.platform.database
        return VirtualBotApi(
            authenticator=self.authenticator,
            identity=self.identity,
            real_bot=self.real_bot,
            forwarder=Forwarder(
                database=database, real_bot=self.real_bot, identity=self.identity, metrics=self.metrics
            ),
            polls=Polls(database=database, wakeups=self.wakeups, metrics=self.metrics, timings=self.timings),
            webhooks=VirtualWebhooks(database=database, vault=self.platform.vault, platform_ports=self.platform_ports),
            metrics=self.metrics,
            max_upload_bytes=MAX_UPLOAD_BYTES,
        )

    def webhook_intake(self) -> WebhookIntake:
        """What Telegram talks to."""
        return WebhookIntake(
            receiver=self.receiver,
            identity=self.identity,
            secret=self.secret,
            max_bytes=self.platform.settings.max_body_bytes,
            metrics=self.metrics,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything that goes on in the background."""
        async with AsyncExitStack() as stack:
            stack.enter_context(registered(self.platform.metrics, self.metrics))
            await stack.enter_async_context(self.real_bot.opened())
            await stack.enter_async_context(self.wakeups.running())
            stack.enter_context(self.authenticator.listening())
            for work in (self.identity.keep_fresh, self._speaker().run, self._pusher().run, self._intake):
                await stack.enter_async_context(_kept_going(work))
            yield

    async def _intake(self) -> None:
        settings = self.platform.settings
        leadership = Leadership(database_url=self.platform.database.url, stand_by=self.timings.stand_by)
        if settings.telegram_intake == "off" or not self.real_bot.is_configured:
            return
        if settings.telegram_intake == "webhook":
            await WebhookKeeper(
                real_bot=self.real_bot,
                identity=self.identity,
                leadership=leadership,
                secret=self.secret,
                public_url=settings.base_url(),
                timings=self.timings,
            ).run()
        else:
            await Poller(
                real_bot=self.real_bot,
                identity=self.identity,
                receiver=self.receiver,
                leadership=leadership,
                metrics=self.metrics,
                timings=self.timings,
            ).run()

    def _speaker(self) -> Speaker:
        return Speaker(
            database=self.platform.database,
            real_bot=self.real_bot,
            identity=self.identity,
            wakeups=self.wakeups,
            metrics=self.metrics,
            timings=self.timings,
        )

    def _pusher(self) -> Pusher:
        return Pusher(
            database=self.platform.database,
            vault=self.platform.vault,
            wakeups=self.wakeups,
            metrics=self.metrics,
            timings=self.timings,
            platform_ports=self.platform_ports,
        )


@asynccontextmanager
async def _kept_going(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """`work` in the background; begun again when something nobody thought of ended it."""
    async with background(_again_and_again(work), name=f"telegram-{work.__qualname__}"):
        yield


async def _again_and_again(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, updates must keep coming in
            # Without its text, which could hold a URL or a person's words.
            log.error("telegram_background_failed", work=work.__qualname__, error=type(error).__name__)  # noqa: TRY400
            await asyncio.sleep(_RESTART_SECONDS)
        else:
            return
