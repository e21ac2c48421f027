"""URLs with a password: what is refused and with which words, and what of them the redactor must know."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from clawstack import secret_urls
from clawstack.errors import NeedsAttentionError
from clawstack.redaction import MASK, Redactor
from clawstack.settings import Settings, load_settings

AWKWARD = "pa/ss%w#rd?@:"
ENCODED = "pa%2Fss%25w%23rd%3F%40%3A"
GOOD = [
    "file:///srv/state",
    "s3://bucket/cells?region=fsn1&endpoint=s3.example.org",
    "azblob://container?storage_account=x",
    f"postgres://u:{ENCODED}@db:5432/claw?sslmode=require",
    f"postgres:///claw?host=/run/postgresql&user=u&password={ENCODED}",
]
#: As the pinned CLI answers each with "PULUMI_ACCESS_TOKEN must be set", for ever.
UNREADABLE = [
    "postgres://u:planted/word@db/claw",
    "postgres://u:planted%word@db/claw",
    "postgres://u:planted#word@db/claw",
    "postgres://u:planted?word@db/claw",
    "postgres://u:planted word@db/claw",
    'postgres://u:planted"word@db/claw',
    "postgres://u:planted^word@db/claw",
    "postgres:///claw?user=u&password=planted%zz",
    "postgres:///claw?user=u&password=planted#word",
    "postgres://u:p@db:planted/claw",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_readable_place_of_state_is_taken_as_it_is(url: str) -> None:
    assert secret_urls.state_url(SecretStr(url)).get_secret_value() == url


@pytest.mark.parametrize("url", UNREADABLE)
@pytest.mark.parametrize("setting", ["PULUMI_BACKEND_URL", "DATABASE_URL"])
def test_a_password_that_must_be_encoded_is_refused_at_the_start_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch, setting: str, url: str
) -> None:
    monkeypatch.setenv(f"CLAWSTACK_{setting}", url)
    with pytest.raises(NeedsAttentionError) as refused:
        load_settings()
    assert f"CLAWSTACK_{setting}: " in refused.value.message
    assert "percent-encode user and password (`/` is %2F, `%` is %25, `#` is %23" in refused.value.message
    assert "planted" not in refused.value.sentence()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://api.pulumi.com", "begin with file://, s3://"),
        ("azblob://container?storage_account=x&sas_token=planted", "set AZURE_* variables instead"),
        ("s3://planted:planted@bucket", "set AWS_* variables instead"),
        ("state", "is no URL"),
    ],
)
def test_what_the_cli_does_not_take_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"begin|variables|is no URL") as refused:
        secret_urls.state_url(SecretStr(url))
    assert words in str(refused.value)
    assert "planted" not in str(refused.value)


def test_the_other_spelling_of_postgres_is_put_as_the_cli_knows_it() -> None:
    """`postgresql://` is Pulumi's cloud to it."""
    assert secret_urls.state_url(SecretStr("postgresql://u:p@db/claw")).get_secret_value() == "postgres://u:p@db/claw"


def test_pods_keep_no_state_in_a_folder() -> None:
    with pytest.raises(ValueError, match="lost with its pod"):
        secret_urls.remote_state_url(SecretStr("file:///state"))


@pytest.mark.parametrize(
    "url",
    [f"postgres://u:{ENCODED}@db/claw", f"postgres:///claw?user=u&password={ENCODED}", f"x://h/?sas_token={ENCODED}"],
)
def test_secret_parts_are_known_as_written_and_as_read(url: str) -> None:
    assert {AWKWARD, ENCODED} <= secret_urls.secret_parts(url)


def test_every_spelling_of_a_password_in_a_setting_is_struck_out_wherever_it_stands() -> None:
    settings = Settings(
        _env_file=None,
        pulumi_backend_url=f"postgres:///claw?host=/run&user=u&password={ENCODED}",
        database_url="postgresql://u:an%2Fother-one@db/claw",
    )
    redactor = Redactor()
    redactor.register(*settings.secret_values())
    for secret in (AWKWARD, ENCODED, "an/other-one", "an%2Fother-one"):
        assert redactor.text(f"pq: {secret} is wrong") == f"pq: {MASK} is wrong"
    assert "claw" not in repr(settings.pulumi_backend_url)


@pytest.mark.parametrize("name", ["public_url", "stripe_api_base", "telegram_api_root", "hcloud_endpoint"])
def test_addresses_that_are_shown_carry_no_credentials(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"CLAWSTACK_{name.upper()}", "https://user:planted@claw.example")
    with pytest.raises(NeedsAttentionError, match="must not carry user and password") as refused:
        load_settings()
    assert "planted" not in refused.value.sentence()


def test_an_upstreams_address_carries_none_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAWSTACK_LLM_UPSTREAMS", '{"openai": {"base_url": "https://u:planted@x/v1", "api_key": "k"}}')
    with pytest.raises(NeedsAttentionError, match="must not carry user and password") as refused:
        load_settings()
    assert "planted" not in refused.value.sentence()
