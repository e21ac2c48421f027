"""What official providers say carries no mark: their words decide, and no secret input comes back in them."""

from __future__ import annotations

import json

import pytest
from google.protobuf import struct_pb2
from pulumi.automation import EngineEvent
from pulumi.automation.errors import CommandError

from clawstack.error_marks import mark
from clawstack.errors import NeedsAttentionError, PermanentError, TemporaryError
from clawstack.plugin_server.values import Secret, to_struct
from services.cells.engine.failures import classify
from services.cells.engine.narration import Narrator
from services.cells.engine.secrecy import OverheardMonitor, RunSecrets

URN = "urn:pulumi:emma::clawstack-cells::clawstack:tenants:ServerCell$hcloud:index/server:Server::emma-server"
FRAME = f"creating {URN}: 1 error occurred:\n\t* "
PERSONA = "You are Emma's helper.\nHer father is called Ignatius Quill & she is <seven>.\nNever tell anybody."
SAID = 'Secret "p" is invalid: data: Invalid value: '


class FailedError(CommandError):
    def __init__(self):
        Exception.__init__(self, "error: update failed")


def judged(said, secrets=None):
    scrub = (secrets or RunSecrets()).scrub
    narrator = Narrator(scrub=scrub)
    event = {"severity": "error", "message": said, "color": "never", "urn": URN}
    step = narrator.read(EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": event}))
    return step, classify(FailedError(), narrator.findings, raised_by_program=None, scrub=scrub)


def hetzner(words):
    return f"{FRAME}sdk-v2/provider2.go:571: sdk.helper_schema: {words}: provider=hcloud@1.39.0"


def kubernetes(words):
    return f"{FRAME}resource cell-emma/p was not successfully created by the Kubernetes API server: {words}"


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (
            hetzner("server name is already used (uniqueness_error, 5f1c0a)"),
            NeedsAttentionError,
            "hetzner_uniqueness_error",
        ),
        (hetzner("unable to authenticate (unauthorized, 1)"), NeedsAttentionError, "hetzner_unauthorized"),
        (hetzner("insufficient permissions (forbidden)"), NeedsAttentionError, "hetzner_forbidden"),
        (
            hetzner("server limit reached (resource_limit_exceeded, a)"),
            NeedsAttentionError,
            "hetzner_resource_limit_exceeded",
        ),
        (hetzner("volume is delete protected (protected, a)"), NeedsAttentionError, "hetzner_protected"),
        (
            hetzner("invalid input in field 'name' (invalid_input, a): [name => [wrong]]"),
            NeedsAttentionError,
            "hetzner_invalid_input",
        ),
        (hetzner("conflicting action (conflict, a)"), TemporaryError, "hetzner_conflict"),
        (hetzner("server is locked (locked, a)"), TemporaryError, "hetzner_locked"),
        (hetzner("no server of this type (resource_unavailable, a)"), TemporaryError, "hetzner_resource_unavailable"),
        (hetzner("no place in group (placement_error, a)"), TemporaryError, "hetzner_placement_error"),
        (kubernetes('namespaces "cell-emma" already exists'), NeedsAttentionError, "refused_by_kubernetes"),
        (
            kubernetes('secrets is forbidden: User "x" cannot create resource "secrets"'),
            NeedsAttentionError,
            "refused_by_kubernetes",
        ),
        (
            kubernetes("pods is forbidden: unable to create in cell-emma because it is being terminated"),
            TemporaryError,
            "refused_by_kubernetes",
        ),
        (
            kubernetes('Apply failed with 1 conflict: conflict with "kubectl": .data'),
            NeedsAttentionError,
            "refused_by_kubernetes",
        ),
        (
            kubernetes('Operation cannot be fulfilled on resourcequotas "q": the object has been modified'),
            TemporaryError,
            "refused_by_kubernetes",
        ),
        (kubernetes('Pod "p" is invalid: spec: Required value'), NeedsAttentionError, "refused_by_kubernetes"),
        (kubernetes("Unauthorized"), TemporaryError, "kubernetes_unauthorized"),
        (
            "kubernetes:core/v1:Namespace resource 'emma' has a problem: kind is required",
            PermanentError,
            "inputs_refused",
        ),
        ("it broke", TemporaryError, "provider_failed"),
    ],
)
def test_the_words_of_official_providers_say_the_kind(said, kind, code):
    step, found = judged(said)
    assert (type(found), found.code) == (kind, code)
    for text in (step.message, found.sentence()):
        assert "provider2.go" not in text
        assert "provider=hcloud" not in text


def test_a_remedy_is_given_as_the_offline_providers_give_it():
    assert (
        judged(hetzner("x (uniqueness_error, 1)"))[1].remedy
        == "Choose another name, or import the object that is there."
    )


def test_no_room_at_hetzner_is_asked_for_by_the_quarter_of_an_hour_marked_or_not():
    for said in (
        hetzner("none (resource_unavailable, a)"),
        mark(TemporaryError("None.", code="hetzner_resource_unavailable")),
    ):
        assert judged(said)[1].retry_after == 900


@pytest.fixture
def secrets():
    """Those of a run whose program has registered one resource."""
    found, asked = RunSecrets(), []

    class Monitor:
        def RegisterResource(self, request, timeout=None):  # noqa: N802 - the protocol's
            asked.append((request, timeout))
            return "answer"

    class Request:
        object = to_struct({"name": "emma", "files": Secret({"SOUL.md": PERSONA, "port": 8443})})

    request = Request()
    assert OverheardMonitor(Monitor(), found).RegisterResource(request, timeout=3) == "answer"
    assert asked == [(request, 3)]
    return found


@pytest.mark.parametrize(
    "quoted",
    [
        PERSONA,
        json.dumps(PERSONA),
        json.dumps(PERSONA).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
        "...Her father is called Ignatius Quill & she is <seven>....",
    ],
    ids=["whole", "escaped", "as Go escapes", "one line"],
)
def test_a_secret_input_that_is_quoted_is_struck_out_and_the_kind_is_kept(secrets, quoted):
    for said in (
        kubernetes(SAID + "x" * 1900 + quoted + "y" * 5000),
        f"kubernetes:core/v1:Secret resource 'p': property stringData value {{{'x' * 1900}{quoted}{'y' * 5000}}} has a problem: no",
    ):
        step, found = judged(said, secrets)
        assert not isinstance(found, TemporaryError), "the kind stands behind what is cut off"
        for text in (step.message, found.sentence()):
            assert "Quill" not in text
            assert "Never tell" not in text
            assert len(text) < 2300


def test_a_mark_behind_a_long_quotation_is_still_read(secrets):
    _, found = judged(mark(NeedsAttentionError(f"No: {PERSONA} {'z' * 5000}", code="it_says_no")), secrets)
    assert (type(found), found.code) == (NeedsAttentionError, "it_says_no")
    assert "Quill" not in found.sentence()


def test_an_ordinary_word_is_no_secret(secrets):
    assert secrets.scrub("emma listens on 8443") == "emma listens on 8443"


def test_a_call_without_property_maps_passes_as_it_is():
    class Monitor:
        features = struct_pb2.Struct()

        def SupportsFeature(self, request):  # noqa: N802 - the protocol's
            return request

    overheard = OverheardMonitor(Monitor(), RunSecrets())
    assert overheard.SupportsFeature("x") == "x"
    assert overheard.features is Monitor.features
