"""Settings: unknown ones refused, mistakes named, secrets never repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clawstack.errors import NeedsAttentionError
from clawstack.setting_types import described
from clawstack.settings import Settings, environment_names, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)


def test_defaults_listen_on_loopback_only():
    settings = load_settings({})
    assert settings.host == "127.0.0.1"
    assert settings.base_url() == "http://127.0.0.1:8080"
    assert settings.platform_url_for_cells() == "http://127.0.0.1:8080"


def test_an_unknown_setting_is_refused_with_the_nearest_name():
    with pytest.raises(NeedsAttentionError) as caught:
        load_settings({"CLAWSTACK_STRIPE_APIKEY": "x"})
    assert "CLAWSTACK_STRIPE_APIKEY is not a setting (did you mean CLAWSTACK_STRIPE_API_KEY?)" in caught.value.message
    assert "docs/configuration.md" in caught.value.sentence()


def test_an_unknown_setting_in_dotenv_is_refused_too(tmp_path):
    (tmp_path / ".env").write_text("CLAWSTACK_PROT=1\n")
    with pytest.raises(NeedsAttentionError, match="CLAWSTACK_PROT is not a setting"):
        load_settings({})


def test_dotenv_is_read(tmp_path):
    (tmp_path / ".env").write_text("CLAWSTACK_PORT=9999\n")
    assert load_settings({}).port == 9999


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLAWSTACK_PORT", "99999"),
        ("CLAWSTACK_PORT", "http"),
        ("CLAWSTACK_DEFAULT_SUBSTRATE", "docker"),
        ("CLAWSTACK_PUBLIC_URL", "claw.example"),
        ("CLAWSTACK_CELL_PORTS", "1-2"),
        ("CLAWSTACK_LLM_UPSTREAMS", '{"openai": {"base_url": "x"}}'),
        ("CLAWSTACK_PROFILE", "staging"),
    ],
)
def test_a_bad_value_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(NeedsAttentionError) as caught:
        load_settings()
    assert name in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(("value", "seconds"), [("8", 8), ("0.5", 0.5), ("PT1M", 60), ("0:00:30", 30)])
def test_durations_are_seconds_or_iso(monkeypatch, value, seconds):
    for name, field in environment_names().items():
        if isinstance(getattr(load_settings({}), field), timedelta):
            monkeypatch.setenv(name, value)
    settings = load_settings()
    durations = [value for value in settings.model_dump().values() if isinstance(value, timedelta)]
    assert len(durations) == 7
    assert {duration.total_seconds() for duration in durations} == {seconds}


def test_malformed_json_is_one_line_too(monkeypatch):
    monkeypatch.setenv("CLAWSTACK_LLM_UPSTREAMS", "{nonsense")
    with pytest.raises(NeedsAttentionError) as caught:
        load_settings()
    assert "CLAWSTACK_LLM_UPSTREAMS" in caught.value.message


def test_production_says_what_it_needs(monkeypatch):
    monkeypatch.setenv("CLAWSTACK_PROFILE", "production")
    monkeypatch.setenv("CLAWSTACK_STRIPE_API_KEY", "planted-stripe-key")
    with pytest.raises(NeedsAttentionError) as caught:
        load_settings()
    assert "CLAWSTACK_MASTER_KEY" in caught.value.message
    assert "CLAWSTACK_STRIPE_API_KEY" not in caught.value.message
    assert "planted" not in caught.value.sentence()


def test_secrets_are_masked_and_known_to_the_redactor(monkeypatch):
    monkeypatch.setenv("CLAWSTACK_STRIPE_API_KEY", "planted-stripe-key")
    monkeypatch.setenv("CLAWSTACK_LLM_UPSTREAMS", '{"openai": {"base_url": "http://x", "api_key": "planted-llm-key"}}')
    settings = load_settings()
    assert "planted" not in repr(settings)
    assert {"planted-stripe-key", "planted-llm-key"} <= set(settings.secret_values())


def test_every_setting_says_what_it_is():
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(Settings)).body[0]
    documented = {
        field.target.id
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
    assert documented >= set(Settings.model_fields)


URLS = {
    "public_url",
    "stripe_api_base",
    "telegram_api_root",
    "telegram_link_base",
    "cell_platform_url",
    "cluster_platform_url",
    "cluster_router_url",
    "hcloud_endpoint",
}


@pytest.mark.parametrize("field", sorted(URLS))
def test_urls_are_text_without_a_trailing_slash(monkeypatch, field):
    name = f"CLAWSTACK_{field.upper()}"
    monkeypatch.setenv(name, "https://claw.example/")
    assert getattr(load_settings(), field) == "https://claw.example"
    monkeypatch.setenv(name, "claw.example")
    with pytest.raises(NeedsAttentionError) as caught:
        load_settings()
    assert f"Settings: {name}: Value error, must start with http:// or https://." in caught.value.message


def test_types_put_themselves_into_words():
    words = {name: described(field.annotation, field.metadata) for name, field in Settings.model_fields.items()}
    assert {name for name, found in words.items() if found == "URL"} == URLS
    assert words["operation_timeout"] == "seconds"
    assert words["max_body_bytes"] == "bytes"
    assert words["log_format"] == "`console`, `json`"
    assert words["master_key"] == "secret"


def test_a_type_without_words_is_refused():
    with pytest.raises(TypeError, match="give it a Unit"):
        described(complex)


def test_the_data_folder_stays_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("CLAWSTACK_DATA_DIR", "data")
    assert load_settings().data_dir == tmp_path / "data"
