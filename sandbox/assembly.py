"""Joins the stand-ins to one ASGI app, each below a path of its own."""

import contextlib
import html
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from sandbox.llm.config import LlmConfig
from sandbox.telegram.config import BotAccount, TelegramConfig

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

    def on_port(self, port: int) -> "Options":
        """Return the same on the port that was really taken."""
        return replace(self, port=port)


def addresses(options: Options) -> dict[str, Any]:
    """Return what the ready line says: where each served part is, as the product's settings want it, and its made-up keys."""
    told: dict[str, Any] = {"port": options.port, "root": options.root}
    for part in options.parts:
        told |= _TOLD[part](options)
    return told


def _told_of_stripe(options: Options) -> dict[str, Any]:
    from sandbox.stripe.config import StripeSandboxConfig  # late: a part that is not served costs nothing

    keys = options.stripe_api_keys or StripeSandboxConfig(data_dir=Path()).api_keys
    return {"stripe_api_base": f"{options.root}/stripe", "stripe_api_key": keys[0]}


def _told_of_telegram(options: Options) -> dict[str, Any]:
    first = (options.bots or TelegramConfig().bots)[0]
    root = f"{options.root}/telegram"
    links = {"telegram_api_root": root, "telegram_link_base": f"{root}/_chat"}
    return {**links, "telegram_bot_token": first.token, "telegram_bot_username": first.username}


def _told_of_llm(options: Options) -> dict[str, Any]:
    key = min(options.llm_keys or LlmConfig().api_keys)
    root = f"{options.root}/llm"
    return {"llm_base_url": f"{root}/v1", "llm_anthropic_base_url": root, "llm_api_key": key}


def _told_of_hcloud(options: Options) -> dict[str, Any]:
    from sandbox.hcloud.config import DEFAULT_TOKEN  # late, as above
    from sandbox.hcloud.main import addresses as told

    return told(f"{options.root}/hcloud", (options.hcloud_tokens or (DEFAULT_TOKEN,))[0])


_TOLD: Final = {
    "stripe": _told_of_stripe,
    "telegram": _told_of_telegram,
    "llm": _told_of_llm,
    "hcloud": _told_of_hcloud,
}


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
            if (end := getattr(app.state, "close", None)) is not None:
                end()

    async def index(_: Request) -> HTMLResponse:
        return HTMLResponse(_index_page(options))

    mounts = [Mount(f"/{name}", app=app) for name, app in apps.items()]
    app = Starlette(routes=[Route("/", index), *mounts], lifespan=lifespan)
    app.state.close = close
    return app


def _create_part(part: str, options: Options) -> Starlette:
    makers = {"stripe": _create_stripe, "telegram": _create_telegram, "llm": _create_llm, "hcloud": _create_hcloud}
    return makers[part](options)


def _create_telegram(options: Options) -> Starlette:
    from sandbox.telegram.app import create_app as create  # late, as above

    defaults = TelegramConfig()
    return create(
        TelegramConfig(
            bots=options.bots or defaults.bots,
            data=options.data / "telegram" if options.data else None,
            public_url=f"{options.root}/telegram",
        )
    )


def _create_llm(options: Options) -> Starlette:
    from sandbox.llm.app import create_app as create  # late, as above

    return create(
        LlmConfig(
            api_keys=options.llm_keys or LlmConfig().api_keys,
            first_token_ms=options.llm_first_token_ms,
            chunk_ms=options.llm_chunk_ms,
        )
    )


def _create_stripe(options: Options) -> Starlette:
    from sandbox.stripe.app import create_app as create  # late, as above
    from sandbox.stripe.config import StripeSandboxConfig, WebhookTarget

    data = options.data / "stripe" if options.data else Path(tempfile.mkdtemp(prefix="sandbox-stripe-"))
    data.mkdir(parents=True, exist_ok=True)
    hook = WebhookTarget(url=options.stripe_webhook_url, secret=options.stripe_webhook_secret)
    chosen: dict[str, Any] = {"api_keys": options.stripe_api_keys} if options.stripe_api_keys else {}
    if options.stripe_webhook_url:
        chosen["webhook"] = hook
    return create(StripeSandboxConfig(data_dir=data, public_url=f"{options.root}/stripe", **chosen))


def _create_hcloud(options: Options) -> Starlette:
    from sandbox.hcloud.app import create_app as create  # late, as above
    from sandbox.hcloud.config import DEFAULT_TOKEN, Access, HcloudConfig

    return create(
        HcloudConfig(
            accesses=tuple(Access(token=token) for token in options.hcloud_tokens or (DEFAULT_TOKEN,)),
            data=options.data / "hcloud" if options.data else None,
            action_seconds=options.hcloud_action_seconds,
        )
    )


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
