"""Envoy's external authorisation over gRPC: ``Check`` is asked of each request before it goes on."""

from __future__ import annotations

from typing import Any

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.type.v3 import http_status_pb2
from google.rpc import code_pb2, status_pb2

from stillwatch.access.keys.refusals import Refused
from stillwatch.app.service.desk import Desk
from stillwatch.app.service.envoy_identity import MetadataPath, account_by_metadata, scope_of
from stillwatch.app.service.forward_auth import ACTION, CANNOT, announced
from stillwatch.app.service.key_check import UNAUTHORIZED, answer_of
from stillwatch.enforce.answers import Answer, refusal
from stillwatch.enforce.asgi import Scope

_OVERWRITE = base_pb2.HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD


class Authorization(external_auth_pb2_grpc.AuthorizationServicer):  # type: ignore[misc]
    """Rules on requests as the HTTP door does."""

    def __init__(self, desk: Desk, metadata: MetadataPath | None = None) -> None:
        """Answer from this desk.

        Args:
            desk: rules.
            metadata: where one of Envoy's filters leaves the account; None to go by headers.
        """
        self._desk, self._metadata = desk, metadata

    async def Check(  # noqa: N802 - the name in Envoy's interface
        self, request: external_auth_pb2.CheckRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> external_auth_pb2.CheckResponse:
        """Answer one question."""
        http, source = request.attributes.request.http, request.attributes.source
        scope = scope_of(http.headers.items(), context.peer())
        address = source.address.socket_address.address
        holder = self._desk.holder(scope, http.method, http.path, address, source.certificate)
        if isinstance(holder, Refused):
            return _denied(answer_of(holder), UNAUTHORIZED)
        account = self._account(request, scope) if holder is None else holder.account_id
        ruling = self._desk.rule(account, http.headers.get("x-request-id", ""), cannot=CANNOT)
        refused = refusal(ruling)
        if refused is not None:
            return _denied(refused, ruling.action)
        passed = external_auth_pb2.OkHttpResponse(
            headers=_options([*announced(ruling), *self._desk.naming(account)])
        )
        return external_auth_pb2.CheckResponse(status=status_pb2.Status(code=code_pb2.OK), ok_response=passed)

    def _account(self, request: external_auth_pb2.CheckRequest, scope: Scope) -> str | None:
        if self._metadata is None:
            return self._desk.identity(scope)
        return account_by_metadata(request.attributes.metadata_context.filter_metadata, self._metadata)


def _denied(refused: Answer, action: str) -> external_auth_pb2.CheckResponse:
    response = external_auth_pb2.DeniedHttpResponse(
        status=http_status_pb2.HttpStatus(code=refused.status),
        headers=_options([*refused.headers, (ACTION, action)]),
        body=refused.body.decode(),
    )
    code = code_pb2.UNAUTHENTICATED if action == UNAUTHORIZED else code_pb2.PERMISSION_DENIED
    denied = status_pb2.Status(code=code)
    return external_auth_pb2.CheckResponse(status=denied, denied_response=response)


def _options(headers: list[tuple[str, str]]) -> list[base_pb2.HeaderValueOption]:
    """Return headers that take the place of those of the same name, whoever set them."""
    return [
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, value=value), append_action=_OVERWRITE
        )
        for name, value in headers
    ]
