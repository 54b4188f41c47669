"""Faust's credentials of a connection to Kafka."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import faust
import httpx2
from aiokafka.abc import AbstractTokenProvider

from pipeline.connections.kafka import KafkaConnection
from pipeline.errors import Unavailable

#: Seconds that the token endpoint has to answer.
_TIMEOUT_S = 10.0
#: A token is renewed after this share of its lifetime.
_RENEW_AFTER = 0.8


def credentials(connection: KafkaConnection) -> Any:
    """Return Faust's credentials; None for a plain connection.

    The context of TLS is always given along with SASL: without one, Faust would silently talk plain text.
    """
    context = connection.ssl_context()
    if not connection.has_sasl:
        return None if context is None else faust.SSLCredentials(context)
    if connection.mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=TokenProvider(connection, context), ssl_context=context)
    return faust.SASLCredentials(
        username=connection.username,
        password=connection.password,
        mechanism=connection.mechanism,
        ssl_context=context,
    )


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Gets tokens from an OIDC token endpoint by client credentials, and keeps each while it is valid."""

    def __init__(self, connection: KafkaConnection, context: ssl.SSLContext | None) -> None:
        self._connection = connection
        self._verify: ssl.SSLContext | bool = context if context is not None else True
        self._token, self._renew_at = "", 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return a valid token. Raises Unavailable when the endpoint does not give one."""
        async with self._lock:
            if time.monotonic() >= self._renew_at:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        assert self._connection.token_endpoint is not None
        assert self._connection.username is not None and self._connection.password is not None
        try:
            async with httpx2.AsyncClient(verify=self._verify, timeout=_TIMEOUT_S) as client:
                response = await client.post(
                    self._connection.token_endpoint,
                    data={"grant_type": "client_credentials"},
                    auth=(self._connection.username, self._connection.password),
                )
                response.raise_for_status()
                answer = response.json()
                self._token = str(answer["access_token"])
                lifetime_s = float(answer.get("expires_in", 60))
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(
                f"The token endpoint {self._connection.token_endpoint} gives no token ({type(error).__name__}). Check "
                "KAFKA_SASL_TOKEN_ENDPOINT, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD."
            ) from None
        self._renew_at = time.monotonic() + lifetime_s * _RENEW_AFTER
