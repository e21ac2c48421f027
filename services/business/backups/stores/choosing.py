"""The store that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from clawstack.errors import NeedsAttentionError
from clawstack.redaction import Redactor
from clawstack.settings import Settings
from services.business.backups.stores.directory import DirectoryStore
from services.business.backups.stores.protocol import BackupStore

if TYPE_CHECKING:
    from services.business.backups.stores.s3 import S3Place

_FORMS: Final = "file:///FOLDER or s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION&style=path|virtual"
_OPTIONS: Final = frozenset({"endpoint", "region", "style"})


def landing_folder(settings: Settings) -> Path:
    """Where cells leave their archives, one folder per slug."""
    return settings.data_dir / "backups"


def store_of(settings: Settings) -> BackupStore | None:
    """The store for good; None where archives stay where they land.

    Raises NeedsAttentionError for a CLAWSTACK_BACKUP_URL that names none.
    """
    if settings.backup_url is None:
        return None
    url = urlsplit(settings.backup_url)
    if url.scheme == "file":
        folder = Path(unquote(url.path))
        if url.netloc or url.query or not folder.is_absolute():
            raise _refusal(settings.backup_url)
        return None if folder == landing_folder(settings) else DirectoryStore(folder)
    from services.business.backups.stores.s3 import S3Store  # late: most installations keep their backups in a folder

    return S3Store(s3_place(settings))


def s3_place(settings: Settings) -> S3Place:
    """The bucket that the settings name; raises NeedsAttentionError for a URL that is not of the form."""
    from services.business.backups.stores.s3 import S3Place  # late, as above

    given = settings.backup_url or ""
    url = urlsplit(given)
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    style = options.get("style", "path" if "endpoint" in options else "virtual")
    endpoint = options.get("endpoint")
    if url.scheme != "s3" or not url.netloc or "@" in url.netloc or set(options) - _OPTIONS:
        raise _refusal(given)
    if style not in {"path", "virtual"} or (endpoint is not None and not _is_address(endpoint)):
        raise _refusal(given)
    if (settings.backup_access_key is None) != (settings.backup_secret_key is None):
        raise NeedsAttentionError(
            "Only one of CLAWSTACK_BACKUP_ACCESS_KEY and CLAWSTACK_BACKUP_SECRET_KEY is set.",
            code="bad_settings",
            remedy="Set both, or none where AWS_* variables or the machine's role give them.",
        )
    return S3Place(
        bucket=url.netloc,
        prefix=url.path.strip("/"),
        endpoint=endpoint,
        region=options.get("region", "us-east-1"),
        virtual_hosts=style == "virtual",
        access_key=settings.backup_access_key,
        secret_key=settings.backup_secret_key,
    )


def _is_address(endpoint: str) -> bool:
    return endpoint.startswith(("http://", "https://")) and "@" not in urlsplit(endpoint).netloc


def _refusal(url: str) -> NeedsAttentionError:
    shown = Redactor().text(url.split("?", 1)[0])[:80]  # somebody may have put the keys before the bucket
    return NeedsAttentionError(
        f"CLAWSTACK_BACKUP_URL is {shown!r}, which names no store.",
        code="bad_settings",
        remedy=f"Write {_FORMS}; credentials go into CLAWSTACK_BACKUP_ACCESS_KEY and CLAWSTACK_BACKUP_SECRET_KEY.",
    )
