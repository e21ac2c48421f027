"""What a cell is to be: the one typed value that crosses from `services` into `tenants`.

Everything that decides which resources exist is here as plain data, checked before Pulumi is started. A spec that could
never become a working cell is refused with the value, the allowed set and the remedy; secrets are never part of an
error's text.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from clawstack.errors import InvalidInputError
from clawstack.labels import cell_labels
from clawstack.naming import MAX_SLUG_LENGTH, is_slug
from clawstack.vocabulary import Desired
from tenants.paths import SUPERVISOR_SOCKET

KEY_BYTES: Final = 32
#: `sun_path` holds 108 bytes on Linux and 104 on macOS, with a closing zero; supervisord appends ".<pid>" while it binds.
MAX_SOCKET_PATH: Final = 103 - len(".4194304")
_ACCOUNT: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9._:~+/=-]{8,512}")
_PATH_TOKEN: Final = re.compile(r"[A-Za-z0-9._:-]{8,256}")


class _Frozen(BaseModel):
    # `hide_input_in_errors`: pydantic would print the offending input, and with it a secret beside it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _slug(value: str) -> str:
    if not is_slug(value):
        raise ValueError(
            f"{value[:60]!r} is not a valid slug; use lower-case letters, digits and inner hyphens, "
            f"at most {MAX_SLUG_LENGTH} characters"
        )
    return value


def _there(value: Desired) -> Desired:
    if value is Desired.ABSENT:
        raise ValueError("a cell that shall be absent has no specification; destroy its stack instead")
    return value


def _account(value: str | None) -> str | None:
    if value is not None and not _ACCOUNT.fullmatch(value):
        raise ValueError(
            f"{value[:60]!r} is not a usable account name; use clawstack.naming.account_name(slug) "
            "(lower-case letters, digits and hyphens, at most 32 characters, starting with a letter)"
        )
    return value


def _model(value: str) -> str:
    if not _MODEL.fullmatch(value):
        raise ValueError(f"{value[:60]!r} is not a model id; use the ids of the catalogue, such as 'gpt-5-mini'")
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    clean = not (parts.username or parts.password or parts.query or parts.fragment) and not value.endswith("/")
    if parts.scheme not in ("http", "https") or not parts.hostname or not clean or re.search(r"[\s${}]", value):
        raise ValueError(
            f"{value[:80]!r} is not a usable address; give http:// or https:// with a host, without user, query "
            "and closing slash, such as 'http://127.0.0.1:8080/llm/v1'"
        )
    return value


def _absolute(value: Path) -> Path:
    if not value.is_absolute() or ".." in value.parts or re.search(r"[\x00-\x1f]", str(value)):
        raise ValueError(f"{str(value)[:120]!r} is not an absolute path without '..'; give the full path")
    return value


def _token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError(
            "a token has 8 to 512 characters out of letters, digits and ._:~+/=-; make it with clawstack.tokens"
        )
    return value


def _path_token(value: SecretStr) -> SecretStr:
    if not _PATH_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError(
            "a channel token stands in an address path: 8 to 256 characters out of letters, digits and ._:-; "
            "make it with clawstack.tokens"
        )
    return value


def _key(value: SecretStr) -> SecretStr:
    try:
        size = len(base64.b64decode(value.get_secret_value(), validate=True))
    except (binascii.Error, ValueError):
        size = -1
    if size != KEY_BYTES:
        raise ValueError(f"a backup key is {KEY_BYTES} bytes in base64; take the tenant's data key")
    return value


Slug = Annotated[str, AfterValidator(_slug)]
ModelId = Annotated[str, AfterValidator(_model)]
Url = Annotated[str, AfterValidator(_url)]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Token = Annotated[SecretStr, AfterValidator(_token)]
PathToken = Annotated[SecretStr, AfterValidator(_path_token)]
SubstrateName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""Where a cell runs; which there are is known to `tenants.substrates.registry` alone."""


class BundleRef(_Frozen):
    """One version of one bundle."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    version: Annotated[str, Field(pattern=r"^\d+(\.\d+){0,2}$")]

    def label(self) -> str:
        """The form that labels carry (Kubernetes allows no '@' there)."""
        return f"{self.name}-{self.version}"


class ModelLimits(_Frozen):
    """What OpenClaw must know of a model, in tokens, to cut its prompts to size."""

    context_window: Annotated[int, Field(ge=16_000)]
    """OpenClaw refuses models with less than 16,000."""
    max_output: Annotated[int, Field(ge=256)]


class ModelPolicy(_Frozen):
    """Which platform models the assistant may use."""

    primary: ModelId
    allowed: Annotated[tuple[ModelId, ...], Field(min_length=1)]
    limits: Mapping[str, ModelLimits] = Field(default_factory=dict)
    """Per model id; a model without an entry gets cautious defaults."""

    @model_validator(mode="after")
    def _primary_is_allowed(self) -> Self:
        if self.primary not in self.allowed:
            raise ValueError(
                f"the primary model {self.primary!r} is not among the allowed ones; choose one of: {', '.join(self.allowed)}"
            )
        if len(set(self.allowed)) != len(self.allowed):
            raise ValueError(f"the allowed models name one twice: {', '.join(self.allowed)}; name each once")
        return self


class Resources(_Frozen):
    """Limits of the cell. The floors are what a gateway needs to start at all."""

    memory_mb: Annotated[int, Field(ge=1024, le=1_048_576)]
    cpu: Annotated[float, Field(gt=0, le=1024)]
    disk_mb: Annotated[int, Field(ge=512)]
    max_processes: Annotated[int, Field(ge=64, le=100_000)]
    max_open_files: Annotated[int, Field(ge=1024, le=1_048_576)]


class PlatformEndpoints(_Frozen):
    """Where the cell reaches the platform: the only two places it needs."""

    llm_base_url: Url
    """For example http://127.0.0.1:8080/llm/v1 (OpenAI completions below it)."""
    telegram_api_root: Url
    """For example http://127.0.0.1:8080/telegram; `/bot<channel token>/<method>` is appended."""


class CellSecrets(_Frozen):
    """Placeholders that are worth nothing outside the platform (law 3)."""

    proxy_token: Token
    channel_token: PathToken
    gateway_token: Token


class MachineBoot(_Frozen):
    """The one boot of the machine that a `server` cell runs on."""

    token: PathToken
    """What the machine exchanges, once, for its secrets."""
    image: Annotated[str | None, Field(pattern=r"^[\w.-]{1,100}$")] = None
    """Snapshot to start from; the installation's image where there is none."""
    location: Annotated[str | None, Field(pattern=r"^[a-z]{3}\d?$")] = None
    """Where the cell is at Hetzner, whatever the settings' first choice is by now; None: the settings'."""
    server_type: Annotated[str | None, Field(pattern=r"^[a-z]{2,4}\d{1,3}$")] = None
    """The type that had room when the plan's first had none; None: the plan's first."""
    is_first: bool = False
    """No machine of the cell ever ran: its volume holds nothing, and may be made anew elsewhere."""


class CellDirectories(_Frozen):
    """Folders of the platform that this cell uses; absolute, traversable by the cell's account."""

    root: AbsolutePath
    """cells/<slug>: holds state/ and logs/."""
    backups: AbsolutePath
    supervisor: AbsolutePath
    """One supervisord per folder; all cells of a platform share it."""

    @model_validator(mode="after")
    def _socket_fits(self) -> Self:
        length = len(str(self.supervisor / SUPERVISOR_SOCKET).encode())
        if length > MAX_SOCKET_PATH:
            raise ValueError(
                f"the supervisor folder makes a socket path of {length} bytes; a Unix socket allows {MAX_SOCKET_PATH}; "
                "choose a shorter data directory"
            )
        return self


class GatewayRuntime(_Frozen):
    """The programs that a gateway is made of; they must be readable for the cell's account."""

    node: AbsolutePath
    openclaw: AbsolutePath
    """openclaw.mjs"""
    version: Annotated[str, Field(pattern=r"^\d{4}\.\d+\.\d+([.-][0-9A-Za-z.-]+)?$|^\d+\.\d+\.\d+$")]


class CellSpec(_Frozen):
    """One cell, complete. Two equal specs describe the same cell: applying one twice changes nothing."""

    slug: Slug
    plan: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    substrate: SubstrateName
    bundle: BundleRef
    answers: Mapping[str, str] = Field(default_factory=dict)
    """What the customer told at sign-up, as `bundles.validate_answers` returned it."""
    models: ModelPolicy
    resources: Resources
    endpoints: PlatformEndpoints
    port: Annotated[int, Field(ge=1024, le=65535)]
    """Loopback port of the gateway, allocated by key and stored by the provisioner."""
    account: Annotated[str | None, AfterValidator(_account)] = None
    """Unprivileged account of this cell; None when the platform does not run as root."""
    secrets: CellSecrets
    directories: CellDirectories
    runtime: GatewayRuntime
    backup_key: Annotated[SecretStr, AfterValidator(_key)]
    desired: Annotated[Desired, AfterValidator(_there)] = Desired.RUNNING
    """Running, or suspended: gateway stopped, state kept."""
    restart_nonce: Annotated[str, Field(max_length=100)] = ""
    """Change it to force a restart of the gateway."""
    boot: MachineBoot | None = None
    """`server` only; another boot means another machine."""
    skip_backup: bool = False
    """True: erase without a backup (law 8: only when the operator says so)."""

    @model_validator(mode="after")
    def _root_belongs_to_slug(self) -> Self:
        if self.directories.root.name != self.slug:
            raise ValueError(
                f"the cell folder {str(self.directories.root)!r} does not end in the slug {self.slug!r}; "
                "use cells/<slug>, so that no two cells share a state directory"
            )
        return self

    @property
    def labels(self) -> dict[str, str]:
        """Labels of every resource of this cell."""
        return cell_labels(slug=self.slug, plan=self.plan, substrate=self.substrate, bundle=self.bundle.label())


def parse_spec(data: Mapping[str, Any]) -> CellSpec:
    """A spec from plain data; raises InvalidInputError that names the first field, the reason and the remedy."""
    try:
        return CellSpec.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "spec"
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInputError(
            f"The cell specification is not usable: {field}: {reason}.",
            code="invalid_cell_spec",
            remedy="Correct the field and run the operation again; nothing was changed.",
        ) from None
