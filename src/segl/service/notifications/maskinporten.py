"""Access tokens of Maskinporten, which the contact register requires: RFC 7523, section 2.1."""

import json
import re
import secrets
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from threading import Lock

from cryptography.hazmat.primitives.serialization import Encoding

from segl.core.keys import SigningKey
from segl.service import clock, remote
from segl.service.remote import RemoteError

_SERVICE = "The token server"
_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GRANT_SECONDS = 100  # Maskinporten accepts at most 120.
_MOST_SECONDS = 24 * 3600
_SENDABLE = re.compile("[!-~]+")  # in a header
_RENEWED_BEFORE = timedelta(seconds=10)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Maskinporten:
    """Tokens of one client for one scope, each used until shortly before it expires.

    `issuer` is the token server's name as it writes it, `https://maskinporten.no/`. The key is that of the
    organization certificate, RSA: Maskinporten accepts RS256.
    """

    def __init__(
        self,
        *,
        token_endpoint: str,
        issuer: str,
        client_id: str,
        scope: str,
        key: SigningKey,
        http: remote.Http = remote.HTTP,
    ) -> None:
        self._token_endpoint = token_endpoint
        self._issuer = issuer
        self._client_id = client_id
        self._scope = scope
        self._key = key
        self._http = http
        self._lock = Lock()
        self._token = ""
        self._renewed_at = _LONG_AGO

    def token(self) -> str:
        """A token that stays valid for some seconds.

        Raises:
            RemoteError: The token server gave none.
        """
        with self._lock:
            now = clock.wall()
            if now >= self._renewed_at:
                self._token, lifetime = self._fetch(now)
                self._renewed_at = now + lifetime - _RENEWED_BEFORE
            return self._token

    def forget(self, token: str) -> None:
        """Discard a token that was rejected or led to no answer; the next one is new."""
        with self._lock:
            if token == self._token:
                self._renewed_at = _LONG_AGO

    def _fetch(self, now: datetime) -> tuple[str, timedelta]:
        form = {"grant_type": _GRANT_TYPE, "assertion": self._grant(now)}
        match self._http.fetch_json("POST", self._token_endpoint, service=_SERVICE, data=form):
            case {"access_token": str(token), "expires_in": int(seconds)} if (
                _SENDABLE.fullmatch(token) and 0 < seconds <= _MOST_SECONDS
            ):
                return token, timedelta(seconds=seconds)
        raise RemoteError(f"{_SERVICE} answered without a usable access_token and its expires_in.")

    def _grant(self, now: datetime) -> str:
        """A JWT (RFC 7519) that the organization signs; no two are the same."""
        certificates = (self._key.certificate, *self._key.chain)
        header = {
            "alg": "RS256",
            "x5c": [b64encode(each.public_bytes(Encoding.DER)).decode() for each in certificates],
        }
        issued_at = int(now.timestamp())
        claims = {
            "aud": self._issuer,
            "iss": self._client_id,
            "scope": self._scope,
            "iat": issued_at,
            "exp": issued_at + _GRANT_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        signed = f"{_part(json.dumps(header).encode())}.{_part(json.dumps(claims).encode())}"
        return f"{signed}.{_part(self._key.sign(signed.encode()))}"


def _part(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
