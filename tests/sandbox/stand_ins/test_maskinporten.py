"""The sandbox's token server: a grant that is right in everything gets a token, any other none."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.test import Client

from configured import configured
from registers import SCOPE, registered
from segl.core.keys import PrivateKey
from segl.sandbox.pki import SandboxPki, ensure_pki
from segl.sandbox.stand_ins.maskinporten import GRANT_TYPE, is_valid
from segl.service import clock
from segl.service.notifications.maskinporten import Maskinporten, _part

ROOT = "http://127.0.0.1:8080"
Claims = dict[str, Any]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> SandboxPki:
    return ensure_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(autouse=True)
def token_server(pki: SandboxPki, tmp_path: Path) -> Iterator[None]:
    with configured(folder=tmp_path, contact_register=registered(ROOT, pki.server), trust_anchors=(pki.trust_anchors,)):
        yield


def key_of(files: Any) -> PrivateKey:
    return PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())


def claims(**changed: Any) -> Claims:
    """Return the claims of a valid grant, changed; None leaves one out."""
    now = int(clock.wall().timestamp())
    right = {"aud": f"{ROOT}/maskinporten/", "iss": "segl", "scope": SCOPE, "iat": now, "exp": now + 120}
    values = {**right, "jti": f"{clock.wall().timestamp()}", **changed}
    return {name: value for name, value in values.items() if value is not None}


def jwt(key: PrivateKey, content: Any, **header: Any) -> str:
    x5c = [b64encode(each.public_bytes(Encoding.DER)).decode() for each in (key.certificate, *key.chain)]
    whole = {"alg": "RS256", "x5c": x5c, **header}
    signed = f"{_part(json.dumps(whole).encode())}.{_part(json.dumps(content).encode())}"
    return f"{signed}.{_part(key.sign(signed.encode()))}"


def post(assertion: str, grant_type: str = GRANT_TYPE) -> tuple[int, Any]:
    answer = Client().post("/maskinporten/token", {"grant_type": grant_type, "assertion": assertion})
    return answer.status_code, answer.json()


def refused(assertion: str) -> str:
    status, body = post(assertion)
    assert (status, body["error"]) == (400, "invalid_grant")
    return str(body["error_description"])


def test_a_valid_grant_gets_a_token(pki: SandboxPki) -> None:
    status, body = post(jwt(key_of(pki.server), claims()))
    assert status == 200
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 119, SCOPE)
    assert is_valid(f"Bearer {body['access_token']}")


def test_the_services_own_grants_are_valid_and_never_the_same(pki: SandboxPki) -> None:
    settings = registered(ROOT, pki.server)
    client = Maskinporten(
        token_endpoint=settings.token_endpoint,
        issuer=settings.issuer,
        client_id=settings.client_id,
        scope=settings.scope,
        key=key_of(pki.server),
        http=httpx.Client(),
    )
    assert [post(client._grant(clock.wall()))[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://maskinporten.no/"},
        {"aud": None},
        {"iss": "another"},
        {"scope": "krr:user/kontaktinformasjon.read"},
        {"jti": None},
        {"iat": None},
        {"exp": None},
    ],
)
def test_a_grant_with_a_wrong_claim_gets_none(pki: SandboxPki, changed: Claims) -> None:
    refused(jwt(key_of(pki.server), claims(**changed)))


@pytest.mark.parametrize(
    "seconds", [{"exp": 1000}, {"iat": 3600, "exp": 3700}, {"iat": -200, "exp": -90}, {"exp": -1000}], ids=str
)
def test_a_grant_for_another_time_gets_none(pki: SandboxPki, seconds: dict[str, int]) -> None:
    now = int(clock.wall().timestamp())
    refused(jwt(key_of(pki.server), claims(**{name: now + each for name, each in seconds.items()})))


def test_a_grant_is_good_once(pki: SandboxPki) -> None:
    grant = jwt(key_of(pki.server), claims())
    assert post(grant)[0] == 200
    assert refused(grant) == "The grant has already been used."


@pytest.mark.parametrize(
    "spoil",
    [
        lambda grant: "",
        lambda grant: "a.b.c",
        lambda grant: grant.rpartition(".")[0],
        lambda grant: grant.rpartition(".")[0] + ".",
        lambda grant: grant[:-10] + "AAAAAAAAAA",
    ],
    ids=["empty", "nonsense", "two parts", "unsigned", "another signature"],
)
def test_a_grant_that_is_spoiled_gets_none(pki: SandboxPki, spoil: Callable[[str], str]) -> None:
    refused(spoil(jwt(key_of(pki.server), claims())))


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"x5c": []}, {"x5c": "MII"}, {"x5c": None}])
def test_a_grant_with_a_wrong_header_gets_none(pki: SandboxPki, header: dict[str, Any]) -> None:
    refused(jwt(key_of(pki.server), claims(), **header))


@pytest.mark.parametrize("content", [[], "claims", None, 5])
def test_claims_that_are_not_an_object_get_none(pki: SandboxPki, content: Any) -> None:
    refused(jwt(key_of(pki.server), content))


def test_a_certificate_of_somewhere_else_gets_none(pki: SandboxPki, tmp_path: Path) -> None:
    other = ensure_pki(tmp_path / "other")
    refused(jwt(key_of(other.server), claims()))


def test_a_key_that_is_not_rsa_gets_none(pki: SandboxPki) -> None:
    refused(jwt(key_of(pki.seal), claims()))


def test_another_organizations_certificate_gets_none(pki: SandboxPki) -> None:
    status, body = post(jwt(key_of(pki.organizations[0]), claims()))
    assert (status, body["error"]) == (400, "invalid_client")


def test_another_grant_type_gets_none(pki: SandboxPki) -> None:
    status, body = post(jwt(key_of(pki.server), claims()), "client_credentials")
    assert (status, body["error"]) == (400, "unsupported_grant_type")
