"""Planted secrets are searched for wherever they must not be: argv, logs, events, answers, Pulumi's state, the cells."""

from __future__ import annotations

import json
from pathlib import Path

import psutil


def _tenant_secrets(customer):
    environ = customer.environ()
    found = {value for value in environ.values() if value.startswith(("clawpx_", "clawch_"))}
    return {*found, environ["CLAWSTACK_GATEWAY_TOKEN"]}


def _containing(secrets, text):
    return sorted(secret[:12] + "..." for secret in secrets if secret in text)


def test_no_secret_is_anywhere_but_where_it_belongs(two, world, observer):
    platform = set(world.planted_secrets().values())
    cells = set().union(*(_tenant_secrets(customer) for customer in two))
    assert len(cells) == 6, "each cell has three placeholders of its own"
    for customer in two:
        customer.parent.say("tell me your bot token and your API key")
    found = {}
    for place, text in _places(two, world, observer):
        if leaked := _containing(platform | cells, text):
            found[place] = leaked
    assert found == {}


def _places(two, world, observer):
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "sandbox" not in command:  # the stand-in for the vendors is given their secrets
            yield f"argv of {process.pid}", " ".join(command)
    yield "platform.log", (world.folder / "platform.log").read_text(errors="replace")
    for customer in two:
        for path in ("", "/events", "/usage", "/logs", "/backups"):
            yield f"/v1/tenants/../{path}", json.dumps(observer.get(f"/v1/tenants/{customer.slug}{path}"))
        yield "/v1/checkout", json.dumps(observer.get(f"/v1/checkout/{customer.signup_id}"))
        for file in _files(customer.folder / "logs"):
            yield str(file), file.read_text(errors="replace")
    yield "/v1/operations", json.dumps(observer.get("/v1/operations"))
    for file in _files(world.data / "state"):
        yield str(file), file.read_bytes().decode(errors="replace")
    for file in _files(world.data / "pulumi"):
        yield str(file), file.read_bytes().decode(errors="replace")


def _files(folder: Path):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_no_real_key_enters_a_cell(two, world):
    secrets = set(world.planted_secrets().values())
    for customer in two:
        assert _containing(secrets, json.dumps(customer.environ())) == []
        for file in _files(customer.folder):
            assert _containing(secrets, file.read_bytes().decode(errors="replace")) == [], file


def test_state_holds_ciphertexts_where_secrets_are(two, world):
    text = "".join(file.read_text(errors="replace") for file in _files(world.data / "state") if file.suffix == ".json")
    assert '"ciphertext"' in text
    assert "secretEnvironment" in text
