"""Bad input anywhere: a clear 4xx or a one-line error, and nothing changed."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from tests.waiting import patient


@pytest.fixture
def http(world):
    with httpx.Client(base_url=world.urls.platform, trust_env=False, timeout=patient(30)) as client:
        yield client


@pytest.fixture
def unchanged(observer):
    before = observer.get("/v1/admin/overview")["tenants"]
    yield
    assert observer.get("/v1/admin/overview")["tenants"] == before


CHECKOUT = {
    "email": "a@example.com",
    "plan": "starter",
    "period": "month",
    "bundle": "parenting",
    "answers": {"child_name": "Mia", "child_birthday": "2025-01-01"},
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"plan": "gold"}, "starter"),
        ({"period": "week"}, "month"),
        ({"bundle": "pirate"}, "parenting"),
        ({"email": "nobody"}, "email"),
        ({"answers": {}}, "child_name"),
        ({"answers": {"child_name": "Mia", "child_birthday": "yesterday"}}, "child_birthday"),
        ({"answers": {"child_name": "x" * 10_000, "child_birthday": "2025-01-01"}}, "child_name"),
    ],
)
def test_a_checkout_that_cannot_be_is_refused_with_the_allowed_set(http, change, word):
    answer = http.post("/v1/checkout", json={**CHECKOUT, **change})
    assert 400 <= answer.status_code < 500
    error = answer.json()["error"]
    assert word in f"{error['message']} {error['remedy']}".lower()


@pytest.mark.usefixtures("unchanged")
def test_malformed_json(http):
    answer = http.post("/v1/checkout", content=b"{nonsense", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_json"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("path", ["/v1/checkout", "/webhooks/stripe", "/signup"])
def test_a_body_of_ten_megabytes(http, path):
    answer = http.post(path, content=b"x" * 10_000_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.usefixtures("unchanged")
def test_a_webhook_without_a_signature(http):
    assert http.post("/webhooks/stripe", json={"id": "evt_1"}).status_code in {400, 401}


@pytest.mark.parametrize("slug", ["A", "a_b", "-a", "a%25b", "..%2F..", "x" * 41])
def test_an_invalid_slug(observer, slug):
    with pytest.raises(httpx.HTTPStatusError) as caught:
        observer.get(f"/v1/tenants/{slug}")
    assert 400 <= caught.value.response.status_code < 500
    assert "error" in caught.value.response.json()


@pytest.mark.parametrize(
    "path", ["/v1/me", "/v1/tenants", "/v1/operations/00000000-0000-0000-0000-000000000000", "/v1/admin/overview"]
)
@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic eDp5", "Bearer"])
def test_v1_opens_only_to_a_token(http, path, header):
    answer = http.get(path, headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["code"]


def test_public_things_are_public(http):
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/signup"):
        assert http.get(path).status_code == 200, path
    assert http.get("/welcome/not-a-signup").status_code == 404


def test_an_unknown_setting_is_a_one_line_error(world):
    environment = {**world.environment(), "CLAWSTACK_STRIPE_KEY": "planted-value"}
    result = subprocess.run(
        [sys.executable, "-m", "services.cli", "tenants", "list"],
        env=environment, capture_output=True, text=True, timeout=patient(60), check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "CLAWSTACK_STRIPE_KEY is not a setting" in result.stderr
    assert "did you mean CLAWSTACK_STRIPE_API_KEY" in result.stderr
    assert "Traceback" not in result.stderr
    assert "planted-value" not in result.stderr


def test_a_taken_port_is_a_one_line_error(world):
    result = subprocess.run(
        [sys.executable, "-m", "services.cli", "serve"],
        env=world.environment(), capture_output=True, text=True, timeout=patient(60), check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "CLAWSTACK_PORT" in result.stderr
    assert "Traceback" not in result.stderr
