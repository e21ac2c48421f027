"""Which store a setting names, and which settings name none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.settings import Settings
from services.business.backups.stores.choosing import landing_folder, s3_place, store_of
from services.business.backups.stores.directory import DirectoryStore

PLANTED = "planted-secret-key"


def settings(url: str | None, **more: Any) -> Settings:
    return Settings(_env_file=None, data_dir=Path("/data"), backup_url=url, **more)


def test_a_folder_elsewhere_is_a_store_and_the_landing_folder_is_none() -> None:
    assert store_of(settings(None)) is None
    assert store_of(settings(f"file://{landing_folder(settings(None))}")) is None
    store = store_of(settings("file:///mnt/nas/a%20b"))
    assert isinstance(store, DirectoryStore)
    assert store.location("anna/one") == "/mnt/nas/a b/anna/one"


def test_an_s3_compatible_store() -> None:
    place = s3_place(settings("s3://archives/prod/eu/?endpoint=https://fsn1.example.org&region=fsn1"))
    assert (place.bucket, place.prefix, place.endpoint) == ("archives", "prod/eu", "https://fsn1.example.org")
    assert (place.region, place.virtual_hosts, place.url) == ("fsn1", False, "s3://archives/prod/eu")


def test_amazon_is_asked_by_the_buckets_name() -> None:
    assert s3_place(settings("s3://archives")).virtual_hosts
    assert s3_place(settings("s3://archives")).url == "s3://archives"
    assert s3_place(settings("s3://a?endpoint=https://x.example.org&style=virtual")).virtual_hosts


@pytest.mark.parametrize(
    "url",
    [
        "file://host/folder", "file://relative", "file:///x?y=1", "ftp://host/x", "/plain/path", "s3://", "s3:///prefix",
        "s3://key:secret@bucket/prefix", "s3://bucket?endpiont=https://x", "s3://bucket?endpoint=x.example.org",
        "s3://bucket?style=odd", "gs://bucket",
    ],
)  # fmt: skip
def test_what_names_no_store_is_refused_with_the_forms(url: str) -> None:
    with pytest.raises(NeedsAttentionError, match="names no store") as caught:
        store_of(settings(url))
    assert "s3://BUCKET/PREFIX?endpoint=" in str(caught.value.remedy)


@pytest.mark.parametrize("one", [{"backup_access_key": "a"}, {"backup_secret_key": PLANTED}])
def test_half_a_pair_of_keys_is_refused(one: dict[str, str]) -> None:
    with pytest.raises(NeedsAttentionError, match="Only one of") as caught:
        store_of(settings("s3://bucket", **one))
    assert PLANTED not in caught.value.sentence()


def test_the_secret_key_is_redacted_and_not_shown() -> None:
    full = settings("s3://bucket", backup_access_key="a", backup_secret_key=PLANTED)
    assert PLANTED in full.secret_values()
    assert PLANTED not in repr(s3_place(full))
