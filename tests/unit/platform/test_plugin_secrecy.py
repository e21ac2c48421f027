"""What an offline plugin refuses may quote an input; a secret one is struck out before the engine hears of it."""

from __future__ import annotations

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from clawstack.errors import InvalidInputError
from clawstack.plugin_server.failures import SentenceInterceptor
from clawstack.plugin_server.values import Secret, to_struct

JOIN = "#cloud-config\nruncmd:\n  - join --token clawed-0123456789\n"
REQUEST = {"userData": Secret(JOIN), "name": "emma-the-first"}


class Context:
    said = ""

    def abort(self, code, details):
        self.said = details
        raise grpc.RpcError


def called(answer, request):
    details = type("Details", (), {"method": "/x"})()
    plain = grpc.unary_unary_rpc_method_handler(answer)
    context = Context()
    handler = SentenceInterceptor().intercept_service(lambda _: plain, details)
    try:
        return handler.unary_unary(request, context), context
    except grpc.RpcError:
        return None, context


@pytest.mark.parametrize("quoted", [JOIN, repr(JOIN)[1:-1], "- join --token clawed-0123456789"])
def test_a_refusal_does_not_quote_a_secret_input(quoted):
    def refuse(request, context):
        raise InvalidInputError(f"emma-the-first: user data {quoted} is refused.", code="no")

    _, context = called(refuse, provider_pb2.CreateRequest(properties=to_struct(REQUEST)))
    assert "clawed" not in context.said
    assert context.said.startswith("emma-the-first: user data")
    assert context.said.endswith("[needs_attention:no]"), "the mark stays"


def test_a_check_that_complains_does_not_quote_one():
    def complain(request, context):
        failure = provider_pb2.CheckFailure(property="userData", reason=f"{JOIN} is too long")
        return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])

    answer, _ = called(complain, provider_pb2.CheckRequest(news=to_struct(REQUEST)))
    assert answer.failures[0].reason == "[secret] is too long"
    assert answer.inputs == to_struct(REQUEST), "the inputs themselves are what the engine needs"
