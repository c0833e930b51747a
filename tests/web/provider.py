"""A small provider of OpenID Connect on loopback, which can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "k3push"
SECRET = "client secret: 50%"  # what must be written in %-codes


@dataclass
class Provider:
    """What it knows and does.

    Attributes:
        claims: What it says of the one user, beside what it must say.
        spoil: What it says instead, in what it signs; None leaves it out.
        discovery: What it says instead of itself.
        signs_with: The key that it signs with, if another than it names.
        algorithm: How it signs.
        down: Whether it answers nothing of use.
        asked: What was asked of it last.
        tokens: How many codes it has taken.
    """

    claims: dict[str, Any] = field(default_factory=lambda: {"preferred_username": "wang"})
    spoil: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    signs_with: RSAKey | None = None
    algorithm: str = "RS256"
    down: bool = False
    asked: dict[str, str] = field(default_factory=dict)
    tokens: int = 0
    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, query: str) -> str:
        """Sign the user in, and return where the browser is sent back."""
        self.asked = {name: values[0] for name, values in parse_qs(query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = self.asked
        back = {"code": code, "state": self.asked["state"], "iss": self.issuer}
        return f"{self.asked['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Give what is signed for a code, once, to the client that has asked for it."""
        name, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or (unquote(name), unquote(secret)) != (CLIENT, SECRET)
            or challenge != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return None
        self.tokens += 1
        now_s = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "1",
            "aud": CLIENT,
            "iat": now_s,
            "exp": now_s + 300,
            "nonce": asked["nonce"],
            **self.claims,
            **self.spoil,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        key = self.signs_with or self.key
        header = {"alg": self.algorithm, "kid": key.kid}
        signed = jwt.encode(header, claims, key, algorithms=[self.algorithm])
        return {"id_token": signed, "access_token": "a", "token_type": "Bearer"}

    def about(self) -> dict[str, Any]:
        """Say what it is."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            **self.discovery,
        }

    def keys(self) -> dict[str, Any]:
        """Say by which keys it can be known."""
        return {"keys": [self.key.as_dict(private=False)]}


@contextmanager
def provider() -> Iterator[Provider]:
    """Run one."""
    told = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            pages = {"/.well-known/openid-configuration": told.about, "/keys": told.keys}
            self.tell(pages[path]() if path in pages and not told.down else None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.tell(told.token(form, self.headers.get("authorization", "")), 400)

        def tell(self, value: object, status: int = 503) -> None:
            body = json.dumps(value).encode()
            self.send_response(status if value is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
