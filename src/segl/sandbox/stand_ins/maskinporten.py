"""The sandbox's token server, in place of Maskinporten: like that, it checks a grant before it issues a token.

`POST /maskinporten/token` on the pages' host (RFC 7523, section 2.1), with the errors of RFC 6749, section 5.2.
"""

import json
from base64 import b64decode, urlsafe_b64decode
from datetime import datetime
from http import HTTPStatus
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from segl.core.certificates import TrustAnchors, load_der, organization_number
from segl.core.errors import SeglError
from segl.sandbox.pki import SERVER_NUMBER
from segl.service import clock, configuration

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_SECONDS = 119
_LONGEST_GRANT_SECONDS = 120
_FASTEST_CLOCK_SECONDS = 10
_SALT = "maskinporten"
_used: dict[str, float] = {}
"""Each used grant's `jti` and `exp`: a grant is good for one token."""


class _BadRequestError(Exception):
    """The grant is refused, with the error's code and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@csrf_exempt  # the grant authenticates the caller
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """Issue a token for a valid grant."""
    try:
        if request.POST.get("grant_type") != GRANT_TYPE:
            raise _BadRequestError("unsupported_grant_type", f"The grant_type must be {GRANT_TYPE}.")
        _check_grant(request.POST.get("assertion", ""), clock.wall())
    except _BadRequestError as error:
        body = {"error": error.code, "error_description": str(error)}
        return JsonResponse(body, status=HTTPStatus.BAD_REQUEST)
    scope = _client().scope
    made = signing.dumps({"scope": scope}, salt=_SALT)
    return JsonResponse({"access_token": made, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": scope})


def is_valid(authorization: str) -> bool:
    """Whether this Authorization header contains a token for the contact register that has not expired."""
    try:
        values = signing.loads(authorization.removeprefix("Bearer "), salt=_SALT, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        return False
    return bool(values == {"scope": _client().scope})


def _client() -> Any:
    """Return the only registered client: the service's own (`segl.service.configuration.ContactRegister`)."""
    return configuration.current().contact_register


def _check_grant(jwt: str, now: datetime) -> None:
    try:
        header, claims, signature = (urlsafe_b64decode(f"{part}==") for part in jwt.split("."))
        head, claimed = json.loads(header), json.loads(claims)
        x5c = [load_der(b64decode(each, validate=True)) for each in head["x5c"]]
        algorithm = head["alg"]
    except (ValueError, TypeError, KeyError, SeglError):
        raise _BadRequestError("invalid_grant", "The assertion must be a JWT with alg and x5c in its header.") from None
    if algorithm != "RS256":
        raise _BadRequestError("invalid_grant", "The JWT must be signed with RS256.")
    _check_signature(jwt.rpartition(".")[0].encode(), signature, x5c, now)
    _check_claims(claimed, now.timestamp())


def _check_signature(signed: bytes, signature: bytes, x5c: list[x509.Certificate], now: datetime) -> None:
    trust = TrustAnchors.from_pem(*(path.read_bytes() for path in configuration.current().trust_anchors))
    try:
        certificate, *issuers = x5c
        trust.chain(certificate, extra=issuers, at=now)
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError
        key.verify(signature, signed, padding.PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature, SeglError):
        raise _BadRequestError(
            "invalid_grant", "The JWT must be signed with the RSA key of the first certificate in x5c."
        ) from None
    if organization_number(certificate) != SERVER_NUMBER:
        raise _BadRequestError("invalid_client", f"The certificate must be that of organization {SERVER_NUMBER}.")


def _check_claims(claims: Any, now: float) -> None:
    expected = _client()
    match claims:
        case {"aud": expected.issuer, "iss": expected.client_id, "scope": expected.scope, **more}:
            pass
        case _:
            raise _BadRequestError("invalid_grant", "aud, iss and scope must be the registered ones.")
    match more:
        case {"iat": int(issued_at), "exp": int(expires_at), "jti": str(number)}:
            pass
        case _:
            raise _BadRequestError("invalid_grant", "iat, exp and jti are required.")
    if issued_at > now + _FASTEST_CLOCK_SECONDS or not issued_at < expires_at <= issued_at + _LONGEST_GRANT_SECONDS:
        raise _BadRequestError(
            "invalid_grant", f"The grant may be valid for at most {_LONGEST_GRANT_SECONDS} s from now."
        )
    if expires_at <= now:
        raise _BadRequestError("invalid_grant", "The grant has expired.")
    for old in [each for each, end in _used.items() if end <= now]:
        del _used[old]
    if number in _used:
        raise _BadRequestError("invalid_grant", "The grant has already been used.")
    _used[number] = expires_at
