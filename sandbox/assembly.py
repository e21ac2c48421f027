"""Joins the stand-ins to one ASGI app, each below a path of its own."""

import contextlib
import html
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from sandbox.frame.config import StandInConfig
from sandbox.frame.values import Json
from sandbox.hcloud.model.config import DEFAULT_TOKEN, Access, HcloudConfig
from sandbox.llm.config import DEFAULT_KEY, LlmConfig
from sandbox.stripe.model.config import DEFAULT_KEYS, StripeConfig, WebhookTarget
from sandbox.telegram.model.config import DEFAULT_BOTS, BotAccount, TelegramConfig

PARTS: Final = ("stripe", "telegram", "llm", "hcloud")


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line says. Empty keys and bots mean the defaults of the parts."""

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    parts: tuple[str, ...] = PARTS
    stripe_webhook_url: str = ""
    stripe_webhook_secret: str = ""
    stripe_api_keys: tuple[str, ...] = ()
    bots: tuple[BotAccount, ...] = ()
    llm_keys: frozenset[str] = frozenset()
    llm_first_token_ms: float = 0.0
    llm_chunk_ms: float = 0.0
    hcloud_tokens: tuple[str, ...] = ()
    hcloud_action_seconds: float = 0.2

    @property
    def root(self) -> str:
        """Where the process is reached; a wildcard address is reached on loopback."""
        host = "127.0.0.1" if self.host in {"", "0.0.0.0"} else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def data_of(self, part: str) -> Path | None:
        """Return the folder of one part, None when nothing is kept."""
        return self.data / part if self.data else None

    def on_port(self, port: int) -> "Options":
        """Return the same on the port that was really taken."""
        return replace(self, port=port)


def addresses(options: Options) -> Json:
    """Return what the ready line says: where each served part is, as the product's settings want it, and its made-up keys."""
    told: Json = {"port": options.port, "root": options.root}
    for part in options.parts:
        told |= _CONFIGS[part](options).addresses(f"{options.root}/{part}")
    return told


def create_app(options: Options) -> Starlette:
    """Return all chosen parts as one app; its lifespan runs theirs, `app.state.close()` ends their long polls."""
    apps = {part: _create_part(part, options) for part in options.parts}

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for app in apps.values():  # a mounted app gets no lifespan of its own
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    def close() -> None:
        for app in apps.values():
            app.state.close()

    async def index(_: Request) -> HTMLResponse:
        return HTMLResponse(_index_page(options))

    mounts = [Mount(f"/{name}", app=app) for name, app in apps.items()]
    app = Starlette(routes=[Route("/", index), *mounts], lifespan=lifespan)
    app.state.close = close
    return app


def _create_part(part: str, options: Options) -> Starlette:
    # Imported late: a part that is not served costs nothing.
    match part:
        case "stripe":
            from sandbox.stripe.app import create_app as create_stripe

            return create_stripe(_stripe(options))
        case "telegram":
            from sandbox.telegram.app import create_app as create_telegram

            return create_telegram(_telegram(options))
        case "llm":
            from sandbox.llm.app import create_app as create_llm

            return create_llm(_llm(options))
        case _:
            from sandbox.hcloud.app import create_app as create_hcloud

            return create_hcloud(_hcloud(options))


def _stripe(options: Options) -> StripeConfig:
    hook = WebhookTarget(url=options.stripe_webhook_url, secret=options.stripe_webhook_secret)
    return StripeConfig(
        data=options.data_of("stripe"),
        public_url=f"{options.root}/stripe",
        webhook=hook if options.stripe_webhook_url else None,
        api_keys=options.stripe_api_keys or DEFAULT_KEYS,
    )


def _telegram(options: Options) -> TelegramConfig:
    return TelegramConfig(bots=options.bots or DEFAULT_BOTS, data=options.data_of("telegram"))


def _llm(options: Options) -> LlmConfig:
    return LlmConfig(
        api_keys=options.llm_keys or frozenset({DEFAULT_KEY}),
        first_token_ms=options.llm_first_token_ms,
        chunk_ms=options.llm_chunk_ms,
    )


def _hcloud(options: Options) -> HcloudConfig:
    return HcloudConfig(
        accesses=tuple(Access(token=token) for token in options.hcloud_tokens or (DEFAULT_TOKEN,)),
        data=options.data_of("hcloud"),
        action_seconds=options.hcloud_action_seconds,
    )


_CONFIGS: Final[dict[str, Callable[[Options], StandInConfig]]] = {
    "stripe": _stripe,
    "telegram": _telegram,
    "llm": _llm,
    "hcloud": _hcloud,
}


def _index_page(options: Options) -> str:
    links = {
        "stripe": [("/stripe/", "Stripe: API, payment pages")],
        "telegram": [
            ("/telegram/_chat", "Telegram: chat with a bot"),
            ("/telegram/_control/bots", "Telegram: state of the bots"),
        ],
        "llm": [("/llm/_control/requests", "Models: requests received")],
        "hcloud": [("/hcloud/_control/objects", "Hetzner Cloud: what exists")],
    }
    items = [item for part in options.parts for item in links[part]]
    listed = "".join(f'<li><a href="{address}">{html.escape(label)}</a></li>' for address, label in items)
    facts = "".join(
        f"<dt>{html.escape(k)}</dt><dd><code>{html.escape(str(v))}</code></dd>" for k, v in addresses(options).items()
    )
    head = '<!doctype html><meta name="viewport" content="width=device-width"><title>Sandbox</title>'
    style = "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}</style>"
    return f"{head}{style}<h1>Sandbox</h1><p>Stand-ins for the outside world.</p><ul>{listed}</ul><dl>{facts}</dl>"
