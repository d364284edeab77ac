"""What is looked at before a process serves: keys and certificates, the database, the document store.

Everything that is wrong is told at once, with the setting's name and the fix.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from segl.core.certificates import TrustAnchors, check_commitment, check_validity, load_pem
from segl.core.errors import SeglError, UntrustedCertificate
from segl.core.keys import PrivateKey
from segl.service.config.configuration import Configuration, ContactRegister, KeyFiles
from segl.service.config.reading import ConfigurationError, gathered

# What the subject of the root says in a sandbox's throw-away PKI, and nowhere else.
SANDBOX_ORGANIZATION = "Segl sandbox - no legal effect"


def check_certificates(configuration: Configuration) -> None:
    """Make sure that every key and certificate can be used for what it is there for.

    Raises:
        ConfigurationError: Some cannot.
    """
    _check_all(
        [
            lambda: _check_anchors(configuration.trust_anchors),
            lambda: _check_readable("intermediates", configuration.intermediates),
            lambda: _check_seal(configuration),
            lambda: _check_signer_ca(configuration),
            lambda: _check_server(configuration.api.tls),
            lambda: _check_contact_register(configuration.contact_register),
        ]
    )


def check_surroundings() -> None:
    """Make sure that the database and the document store can be used; Django must be set up.

    Raises:
        ConfigurationError: One cannot.
    """
    _check_all([check_database, _check_documents])


def check_database() -> None:
    """Make sure that the database can be reached and has today's tables.

    Raises:
        ConfigurationError: It cannot, or has not.
    """
    from django.db import Error, close_old_connections, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        close_old_connections()
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error as error:
        raise unusable_database(error) from None
    if missing:
        raise ConfigurationError("The database is not up to date: run `segl migrate` first, with this configuration.")


def unusable_database(error: Exception) -> ConfigurationError:
    """What to tell of an error of the driver, whose message names host and user, never the password."""
    reason = " ".join(str(error).split()).rstrip(".?")
    return ConfigurationError(f"The database cannot be used: {reason}. Correct the setting `database`.")


def _check_documents() -> None:
    from segl.service.store import documents

    try:
        documents.probe()
    except Exception as error:  # each kind of store raises its own
        # Object stores tell much over many lines; the first says what it is.
        reason = str(error).strip().partition("\n")[0]
        raise ConfigurationError(
            f"Nothing can be written to the setting `documents`: {reason}. Correct it, or the rights to the folder; "
            "an object store's keys are in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL."
        ) from None


def _check_all(checks: Sequence[Callable[[], None]]) -> None:
    problems = []
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            problems.append(str(error))
    gathered(problems)


@contextmanager
def _naming(setting: str) -> Iterator[None]:
    """What goes wrong in the block is told with the setting's name."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The setting `{setting}` names {error.filename}, which cannot be read: {error.strerror}."
        ) from None
    except SeglError as error:
        raise ConfigurationError(f"The setting `{setting}` cannot be used: {error}") from None


def _check_anchors(paths: Sequence[Path]) -> None:
    with _naming("trust_anchors"):
        trust = TrustAnchors.from_pem(*(path.read_bytes() for path in paths))
        now = datetime.now(UTC)
        if not any(each.not_valid_before_utc <= now <= each.not_valid_after_utc for each in trust.anchors):
            raise UntrustedCertificate(
                "it holds no root certificate that is valid today, and nobody could call: "
                "name the PEM files of the roots that organization certificates chain to."
            )


def _check_readable(setting: str, paths: Sequence[Path]) -> None:
    with _naming(setting):
        for path in paths:
            load_pem(path.read_bytes())


def _check_seal(configuration: Configuration) -> None:
    with _naming("seal"):
        key, trust = read_key(configuration.seal), seal_trust(configuration)
        check_commitment(key.certificate)
        root = trust.chain(key.certificate, extra=key.chain, at=datetime.now(UTC))[-1]
    if configuration.sandbox is not is_of_sandbox(root):
        raise ConfigurationError(
            "`sandbox = true` goes with the throw-away PKI that `segl sandbox` makes, and with nothing else: "
            "correct `sandbox` or the certificate of `[seal]`."
        )


def _check_signer_ca(configuration: Configuration) -> None:
    with _naming("signer_ca"):
        key = read_key(configuration.signer_ca)
        seal_trust(configuration).chain_of_issuer(key.certificate, extra=key.chain, at=datetime.now(UTC))


def _check_server(files: KeyFiles | None) -> None:
    """The clients' trust in the server is theirs to check; it must be whole, in order, and valid."""
    if files is None:
        return
    with _naming("api.certificate"):
        key = read_key(files)
        for each in (key.certificate, *key.chain):
            check_validity(each, datetime.now(UTC))
        for issued, issuer in pairwise([key.certificate, *key.chain]):
            _check_issued(issued, issuer)


def _check_contact_register(register: ContactRegister | None) -> None:
    if register is None:
        return
    with _naming("contact_register.certificate"):
        key = read_key(register.key)
        check_validity(key.certificate, datetime.now(UTC))
        if not isinstance(key.key, rsa.RSAPrivateKey):
            raise UntrustedCertificate(
                f"the key of {key.certificate.subject.rfc4514_string()} is none that Maskinporten takes: "
                "name an organization certificate with an RSA key."
            )


def _check_issued(issued: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise UntrustedCertificate(
            f"the certificate {issued.subject.rfc4514_string()} is followed by {issuer.subject.rfc4514_string()}, "
            "which did not issue it: write the server's certificate first, then its issuers in their order."
        ) from None


def is_of_sandbox(root: x509.Certificate) -> bool:
    """Whether this is the root of a sandbox's throw-away PKI."""
    names = root.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return [each.value for each in names] == [SANDBOX_ORGANIZATION]


def seal_trust(configuration: Configuration) -> TrustAnchors:
    """What the service's own results are verified against."""
    return TrustAnchors.from_pem(configuration.seal_root.read_bytes())


def read_key(files: KeyFiles) -> PrivateKey:
    """A private key with its certificate and chain."""
    return PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())
