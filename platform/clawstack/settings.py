"""Settings: environment variables `CLAWSTACK_*` and `.env`, typed, checked before anything starts, unknown ones refused.

Every field is documented in docs/configuration.md (a test compares the two).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from clawstack.errors import NeedsAttentionError
from clawstack.secret_urls import secret_parts
from clawstack.setting_types import (
    AbsolutePath,
    Bytes,
    DatabaseUrl,
    HttpUrl,
    Networks,
    PerMinute,
    Port,
    PortRange,
    Seconds,
    StateUrl,
    networks_of,
)

_PREFIX = "CLAWSTACK_"
DEFAULT_SUBSTRATE: Final = "process"
"""What needs nothing but this machine."""


def _repository_root() -> Path:
    return Path(__file__).resolve().parents[2]


def _default_data_dir() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/clawstack")  # root's home is closed to the accounts that cells run under
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "clawstack"


class Profile(StrEnum):
    """How strict the platform is with its own surroundings."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    """Master key from outside, official plugins only, secrets for Stripe and Telegram required."""


class Upstream(BaseModel):
    """A model vendor that the LLM proxy forwards to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: HttpUrl
    """Up to and including the version: `https://api.openai.com/v1`."""
    api_key: SecretStr


class Settings(BaseSettings):
    """All settings of one process. Build it with `load_settings`, which turns mistakes into one readable error."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_file=".env", extra="ignore", frozen=True)

    profile: Profile = Profile.DEVELOPMENT
    """`development` or `production`."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback is your decision to expose the platform."""
    port: Port = 8080
    """Port to listen on; 0 picks a free one."""
    public_url: HttpUrl | None = None
    """Where customers' browsers and webhooks reach the platform; default `http://HOST:PORT`."""
    data_dir: AbsolutePath = Field(default_factory=_default_data_dir)
    """State of this platform: embedded database, Pulumi state, cells, backups, master key in development."""
    cache_dir: Path | None = None
    """Pulumi CLI, plugins, Node and OpenClaw; default is the user's cache folder (`/var/cache/clawstack` for root)."""

    toolchain_downloads: Literal["all", "registries", "never"] = "all"
    """What set-up may fetch: official releases and package registries, registries only, or nothing."""
    toolchain_gateways: Literal["here", "elsewhere"] = "here"
    """Whether cells run on this machine, so that it needs Node and OpenClaw; the services' image says `elsewhere`."""

    database_url: DatabaseUrl | None = None
    """`postgresql://USER:PASSWORD@HOST/DATABASE`, user and password percent-encoded (`/` is `%2F`); without it an embedded PostgreSQL is started in the data folder."""
    database_pool: Annotated[int, Field(ge=2, le=200)] = 20
    """Most connections of each pool that a process keeps: one for all, the proxy a second one for its hot path. A server must have room for all processes together (`max_connections`)."""
    master_key: SecretStr | None = None
    """32 bytes in base64 that wrap every tenant's data key. Required in production."""
    master_key_file: Path | None = None
    """A file (mode 0600) that holds the master key; default `DATA_DIR/master.key`, made on first start in development."""

    stripe_api_key: SecretStr | None = None
    """Stripe secret key (`sk_...` or `rk_...`)."""
    stripe_webhook_secret: SecretStr | None = None
    """Signing secret of the webhook endpoint (`whsec_...`). Without it the endpoint refuses everything."""
    stripe_api_base: HttpUrl = "https://api.stripe.com"
    """Where the Stripe API is."""
    stripe_sweep_interval: Seconds = timedelta(minutes=5)
    """How often recent events and subscriptions are listed again, to close gaps that lost webhooks leave."""

    telegram_bot_token: SecretStr | None = None
    """Token of the shared bot."""
    telegram_bot_username: str | None = None
    """User name of the shared bot, without @; asked from Telegram when absent."""
    telegram_api_root: HttpUrl = "https://api.telegram.org"
    """Root of the Bot API."""
    telegram_webhook_secret: SecretStr | None = None
    """Secret that Telegram repeats in `X-Telegram-Bot-Api-Secret-Token`; made once and sealed with the master key when absent."""
    telegram_intake: Literal["polling", "webhook", "off"] = "polling"
    """How updates of the shared bot arrive. `webhook` needs a public URL."""
    telegram_link_base: HttpUrl = "https://t.me"
    """Root of deep links; the link is `BASE/BOT?start=CODE`."""

    llm_upstreams: dict[str, Upstream] = Field(default_factory=dict)
    """JSON: `{"openai": {"base_url": "https://api.openai.com/v1", "api_key": "sk-..."}}`."""
    llm_reservation_ttl: Seconds = timedelta(minutes=15)
    """After this time a reservation that no settlement followed is charged as an estimate."""
    llm_upstream_timeout: Seconds = timedelta(minutes=5)
    """Longest silence of a model vendor in one request."""

    default_substrate: str = DEFAULT_SUBSTRATE
    """Where new cells run unless their plan forbids it: a substrate that some plan of `plans.yaml` names."""
    pulumi_backend_url: StateUrl | None = None
    """Root of Pulumi state (`file://`, `s3://BUCKET?region=...`, ...); every cell has its own location below, or its own rows (`postgres://`, user and password percent-encoded: `/` is `%2F`); default in the data folder. A new password takes effect with a restart; before another place is set, all state is moved there."""
    policy_pack: Path = Field(default_factory=lambda: _repository_root() / "policies")
    """Folder of the policy pack that judges every update."""
    policy_config: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """JSON: options and exemptions of rules by their names, as `{"stack-limit-cost": {"cellMonthly": 40}}`."""
    operation_timeout: Seconds = timedelta(minutes=10)
    """Total time budget of one operation."""
    operation_grace: Seconds = timedelta(seconds=20)
    """How long a cancelled operation may take to stop by itself before it is killed."""
    lease_ttl: Seconds = timedelta(seconds=30)
    """A worker that has not renewed its lease for this long is taken for dead."""
    reconcile_interval: Seconds = timedelta(seconds=30)
    """How often every cell is compared with what it should be."""
    worker_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Operations that one worker runs at once. Of several, one is never a destroy or a move: a cluster on which these hang does not stop new customers."""
    cell_ports: PortRange = "21000-28999"
    """Loopback ports given to process cells, first-last."""
    cell_platform_url: HttpUrl | None = None
    """Where cells reach the LLM proxy and the Telegram router; default `http://127.0.0.1:PORT`."""

    kubeconfig: Path | None = None
    """A kubeconfig of the cluster for namespace cells; without it there are none."""
    cluster: dict[str, Any] = Field(default_factory=dict)
    """JSON: what namespace cells need to know of that cluster: `{"cluster": "prod", "image": "...", "proxy": {...}, "router": {...}, "platform": {...}}` (operators' guide)."""
    cluster_platform_url: HttpUrl | None = None
    """Where namespace cells reach the LLM proxy and the Telegram router; default is the public URL."""
    cluster_router_url: HttpUrl | None = None
    """Where namespace cells reach the Telegram router, if that is elsewhere than the LLM proxy."""

    backup_url: str | None = None
    """Where archives are kept for good: `file:///FOLDER`, or `s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION`; default is `DATA_DIR/backups`, where cells leave them."""
    backup_access_key: str | None = None
    """Access key of the S3 store; without it what the standard `AWS_*` variables say."""
    backup_secret_key: SecretStr | None = None
    """Secret key of the S3 store."""
    backup_keep_local: bool = False
    """Keep the copy on this machine as well once an archive is in the store."""

    hcloud_endpoint: HttpUrl = "https://api.hetzner.cloud/v1"
    """Root of the Hetzner Cloud API."""
    hcloud_token: SecretStr | None = None
    """Token of the Hetzner project that holds tenants' servers."""
    servers: dict[str, Any] = Field(default_factory=dict)
    """JSON: what server cells need to know of that project: `{"location": "fsn1", "node": {...}}` (operators' guide). `server_types`, as `{"business": "cx33"}`, may be left out: it replaces, plan by plan, the `server_type` of `plans.yaml`. `other_server_types` (`{"business": ["cx43"]}`) and `other_locations` (`["hel1"]`) are tried in this order when Hetzner has no room; `silence_seconds` (120) ends a gateway that answers nothing; `refusal_pauses` (`[5, 10, 20]`) lie between tries of one that refuses to start."""

    trusted_proxies: Networks = ""
    """Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; none by default. Cells must not be among them: on this machine they share 127.0.0.1 with whatever else runs here."""
    max_connections: Annotated[int, Field(ge=16, le=30_000)] = 4096
    """Connections that one process holds at most; fewer where the limit of open files (`ulimit -Hn`) leaves no room. A full house ends the longest silent ones."""
    connections_per_address: Annotated[int, Field(ge=8)] = 500
    """The same for one address (of IPv6: one /64) that is neither loopback nor a trusted proxy; cells behind one NAT share it."""
    max_body_bytes: Bytes = 1_048_576
    """Largest request body outside the LLM proxy and file uploads; most routes take less."""
    signup_rate_per_minute: PerMinute = 20
    """Sign-ups that one address may try in a minute, all processes together."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lines below this level are not written."""
    log_format: Literal["console", "json"] = "console"
    """`json` for log collectors."""

    @field_validator("default_substrate")
    @classmethod
    def _some_plan_allows_it(cls, value: str) -> str:
        from clawstack.plan_file import substrates_of_plans  # late: most processes keep the default

        allowed = substrates_of_plans()
        if value not in allowed:
            raise ValueError(f"no plan runs on {value[:40]!r}; choose one of: {', '.join(allowed)}")
        return value

    @model_validator(mode="after")
    def _production_is_complete(self) -> Settings:
        if self.profile is Profile.PRODUCTION:
            required = ("master_key", "stripe_api_key", "stripe_webhook_secret", "telegram_bot_token", "public_url")
            missing = [name for name in required if getattr(self, name) is None]
            if "master_key" in missing and self.master_key_file is not None:
                missing.remove("master_key")
            if missing:
                names = ", ".join(_PREFIX + name.upper() for name in missing)
                raise ValueError(f"production needs {names}")
        return self

    def base_url(self) -> str:
        """Public root of the pages and the API, without a trailing slash."""
        return self.public_url or f"http://{_url_host(self.host)}:{self.port}"

    def platform_url_for_cells(self) -> str:
        """Root under which a process cell reaches `/llm` and `/telegram`."""
        return self.cell_platform_url or f"http://127.0.0.1:{self.port}"

    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Where trusted reverse proxies are."""
        return networks_of(self.trusted_proxies)

    def cell_port_range(self) -> range:
        """Ports that may be given to process cells."""
        first, last = (int(part) for part in self.cell_ports.split("-"))
        return range(first, last + 1)

    def secret_values(self) -> list[str]:
        """Every secret in here, for the redactor; of URLs also the secret parts, as they are written and as they are read."""
        values = [getattr(self, name) for name in type(self).model_fields]
        secrets = [value for value in values if isinstance(value, SecretStr)]
        secrets += [upstream.api_key for upstream in self.llm_upstreams.values()]
        texts = [secret.get_secret_value() for secret in secrets]
        urls = [*texts, *(value for value in values if isinstance(value, str))]
        return [*texts, *sorted({part for url in urls for part in secret_parts(url)})]


def load_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings of this process; raises NeedsAttentionError with one line per mistake, never with a secret's value."""
    environ = os.environ if environ is None else environ
    _refuse_unknown(environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"{_variable(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False)]
        raise _refusal("; ".join(lines)) from None
    except SettingsError as error:
        field = str(error).split('"')[1]
        raise _refusal(f"{_PREFIX}{field.upper()}: not valid JSON") from None


def environment_names() -> dict[str, str]:
    """Field name by environment variable, for documentation and for the unknown-setting check."""
    return {_PREFIX + name.upper(): name for name in Settings.model_fields}


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = environment_names()
    present = {name for name in environ if name.startswith(_PREFIX)} | _names_in_dotenv()
    problems = []
    for name in sorted(present - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        problems.append(f"{name} is not a setting" + (f" (did you mean {near[0]}?)" if near else ""))
    if problems:
        raise _refusal("; ".join(problems))


def _names_in_dotenv() -> set[str]:
    path = Path(".env")
    if not path.is_file():
        return set()
    lines = (line.strip().removeprefix("export ").split("=", 1)[0].strip() for line in path.read_text().splitlines())
    return {name for name in lines if name.startswith(_PREFIX)}


def _refusal(problem: str) -> NeedsAttentionError:
    return NeedsAttentionError(
        f"Settings: {problem}.", code="bad_settings", remedy="See docs/configuration.md for every setting."
    )


def _variable(location: tuple[int | str, ...]) -> str:
    return ".".join([_PREFIX + str(location[0]).upper(), *map(str, location[1:])]) if location else "together"


def _url_host(host: str) -> str:
    if host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
