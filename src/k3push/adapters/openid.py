"""Signing in through a provider of OpenID Connect: code flow, with PKCE, state and nonce.

Needs Authlib, which comes with the extra `web`. What the provider says is believed where it is
signed with one of its own keys, is meant for us, is fresh, and answers the question that was asked.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import orjson
from authlib.common.urls import add_params_to_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped]
    create_s256_code_challenge,
)
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from k3push.core.web_addresses import is_confidential

PATIENCE_S = 10.0
KNOWN_FOR_S = 3600.0
"""For how long what a provider says of itself is believed without asking."""

LEEWAY_S = 60
MOST_BYTES = 1 << 20

# With a shared secret (HS256) or none, whoever knows the client's secret, or nobody, signs.
SIGNED_BY_KEYS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


class OpenIdError(Exception):
    """Somebody could not be signed in.

    Attributes:
        why: `away`: the provider cannot be reached or says nothing of use; `refused`: it has let
            nobody in; `untrue`: what it said is not believed.
    """

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(said)
        self.why = why


@dataclass(frozen=True, slots=True)
class Asked:
    """What a provider was asked, which its answer must fit.

    Attributes:
        state: Comes back with the answer.
        nonce: Is in what is signed.
        verifier: Proves that whoever has the code has asked for it (PKCE).
    """

    state: str
    nonce: str
    verifier: str
    redirect_uri: str


class OpenIdProvider:
    """A provider, as one client of it sees it."""

    def __init__(
        self, issuer: str, client_id: str, client_secret: str, scopes: tuple[str, ...]
    ) -> None:
        """Ask nothing yet."""
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._known: tuple[float, Mapping[str, Any]] | None = None
        self._keys: KeySet | None = None

    async def ask(self, redirect_uri: str) -> tuple[str, Asked]:
        """Return where a browser is sent to, and what was asked; raises `OpenIdError`."""
        about = await self._about()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = Asked(state, nonce, verifier, redirect_uri)
        facts = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._scopes),
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": create_s256_code_challenge(asked.verifier),
            "code_challenge_method": "S256",
        }
        return str(add_params_to_uri(self._place(about, "authorization_endpoint"), facts)), asked

    async def told(self, asked: Asked, code: str, issuer: str = "") -> Mapping[str, Any]:
        """Return what the provider says of who has signed in.

        Args:
            issuer: Who has answered, by the answer itself; "" where it does not say (RFC 9207).

        Raises:
            OpenIdError: It is not so.
        """
        if issuer and issuer != self._issuer:
            raise OpenIdError("untrue", "issuer")
        about = await self._about()
        answer = await self._token(about, asked, code)
        claims, header = await self._checked(about, str(answer.get("id_token", "")))
        params = {"nonce": asked.nonce, "client_id": self._client_id}
        if isinstance(answer.get("access_token"), str):
            params["access_token"] = answer["access_token"]
        wanted = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client_id},
            "nonce": {"essential": True, "value": asked.nonce},
        }
        try:
            token = CodeIDToken(claims, header, wanted, params)
            token.validate(leeway=LEEWAY_S)
        except (JoseError, TypeError, ValueError, AttributeError) as error:
            raise OpenIdError("untrue", str(error)) from error
        return claims

    async def sign_out(self, back: str) -> str:
        """Return where a browser is sent to be signed out there too; "" where that is not known."""
        try:
            about = await self._about()
            place = self._place(about, "end_session_endpoint")
        except OpenIdError:
            return ""
        facts = {"client_id": self._client_id, "post_logout_redirect_uri": back}
        return str(add_params_to_uri(place, facts))

    # -- what it says -------------------------------------------------------------------------

    async def _token(self, about: Mapping[str, Any], asked: Asked, code: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": asked.verifier,
        }
        ways = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        named = quote(self._client_id, safe=""), quote(self._client_secret, safe="")
        auth = httpx.BasicAuth(*named) if "client_secret_basic" in ways else None
        if auth is None:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        place = self._place(about, "token_endpoint")
        return await self._json("POST", place, data=form, auth=auth, refusals=True)

    async def _checked(
        self, about: Mapping[str, Any], token: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return claims and header of a token that one of the provider's keys has signed."""
        offered = about.get("id_token_signing_alg_values_supported") or ["RS256"]
        allowed = sorted(SIGNED_BY_KEYS.intersection(map(str, offered)))
        registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
        for anew in (False, True):
            keys = await self._key_set(about, anew=anew)
            try:
                found = jwt.decode(token, keys, registry=registry)
            except InvalidKeyIdError as error:
                if anew:
                    raise OpenIdError("untrue", str(error)) from error
                continue  # keys change, and the new ones are there already
            except (JoseError, ValueError, TypeError) as error:
                raise OpenIdError("untrue", str(error)) from error
            return dict(found.claims), dict(found.header)
        raise OpenIdError("untrue")

    async def _key_set(self, about: Mapping[str, Any], *, anew: bool) -> KeySet:
        if self._keys is None or anew:
            found = await self._json("GET", self._place(about, "jwks_uri"))
            try:
                self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise OpenIdError("away", "jwks") from error
        return self._keys

    async def _about(self) -> Mapping[str, Any]:
        """Return what the provider says of itself (discovery)."""
        now_s = anyio.current_time()
        if self._known is None or now_s - self._known[0] > KNOWN_FOR_S:
            place = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            about = await self._json("GET", place)
            if about.get("issuer") != self._issuer:
                raise OpenIdError("away", "issuer")
            self._known, self._keys = (now_s, about), None
        return self._known[1]

    def _place(self, about: Mapping[str, Any], name: str) -> str:
        """Return an address of the provider, which is as safe as that of the issuer."""
        place = about.get(name)
        if not isinstance(place, str) or not is_confidential(place):
            raise OpenIdError("away", name)
        return place

    async def _json(
        self,
        method: str,
        place: str,
        *,
        data: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
        refusals: bool = False,
    ) -> Mapping[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
                answer = await client.request(method, place, data=data, auth=auth)
            if refusals and answer.status_code in {400, 401, 403}:
                raise OpenIdError("refused", f"HTTP {answer.status_code}")
            if answer.status_code != 200 or len(answer.content) > MOST_BYTES:  # noqa: PLR2004
                raise OpenIdError("away", f"HTTP {answer.status_code}")
            value = orjson.loads(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError) as error:
            raise OpenIdError("away", type(error).__name__) from error
        if not isinstance(value, dict):
            raise OpenIdError("away", "JSON")
        return value
