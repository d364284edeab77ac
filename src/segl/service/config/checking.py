"""Checks keys and certificates, mail and SMS, the database and the document store before a process starts serving.

All problems are reported at once, each with the setting's name and the fix.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils.module_loading import import_string

from segl.core.certificates import TrustAnchors, check_commitment, check_validity, load_pem
from segl.core.errors import SeglError, UntrustedCertificate
from segl.core.keys import PrivateKey, others_can_read
from segl.service.config.reading import ConfigurationError, gathered
from segl.service.configuration import Configuration, ContactRegister, KeyFiles

if TYPE_CHECKING:
    from psycopg.errors import InsufficientPrivilege

logger = logging.getLogger(__name__)

# The organization in the root's subject of a sandbox's throw-away PKI, and of no other.
SANDBOX_ORGANIZATION = "Segl sandbox - no legal effect"
_SOON = timedelta(days=30)
_CORRECT_CHAIN = "Append its issuers to that file, or correct `seal.root`."


def check_all(configuration: Configuration) -> None:
    """Check everything that a process needs; Django must be set up.

    Raises:
        ConfigurationError: Something is wrong; the message names every problem.
    """
    mail, sms = configuration.mail.backend, configuration.sms.gateway
    _check_all(
        [
            *_certificate_checks(configuration),
            lambda: _check_class("mail.backend", mail, "send_messages", "a Django mail backend"),
            lambda: _check_class("sms.gateway", sms, "send", "a class like segl.service.notifications.sms.SmsGateway"),
            check_database,
            _check_documents,
            _check_master_key,
        ]
    )


def check_certificates(configuration: Configuration) -> None:
    """Check that every key and certificate can be used for its purpose.

    Raises:
        ConfigurationError: Some cannot.
    """
    _check_all(_certificate_checks(configuration))


def _certificate_checks(configuration: Configuration) -> Sequence[Callable[[], object]]:
    return [
        lambda: _check_anchors(configuration.trust_anchors),
        lambda: _check_intermediates(configuration.intermediates),
        lambda: _check_client_issuers(configuration),
        lambda: _check_seal(configuration),
        lambda: _check_signer_ca(configuration),
        lambda: _check_server(configuration.api.tls),
        lambda: _check_contact_register(configuration.contact_register),
    ]


def check_surroundings() -> None:
    """Check that a running process can still do its work.

    Raises:
        ConfigurationError: The database or the document store cannot be used, or a certificate has expired.
    """
    _check_all([check_database, _check_documents, _check_master_key, _check_certificates_in_use])


def warn_of_expiry() -> None:
    """Log which certificates of this process expire soon."""
    for setting, each in _certificates_in_use():
        if each.not_valid_after_utc - datetime.now(UTC) <= _SOON:
            logger.warning(
                "The certificate %s in the setting `%s` expires %s: replace it there, and restart every process.",
                each.subject.rfc4514_string(),
                setting,
                f"{each.not_valid_after_utc:%Y-%m-%d %H:%M %Z}",
            )


def warn_of_readable_secrets(configuration: Configuration) -> None:
    """Log which files with keys, passwords and tokens every user of this machine can read."""
    for path in configuration.secret_files:
        with suppress(OSError):  # the checks report it if it matters
            if others_can_read(path):
                logger.warning(
                    "Every user of this machine can read %s, which is secret: run `chmod o= %s`.", path, path
                )


def _check_certificates_in_use() -> None:
    for setting, each in _certificates_in_use():
        try:
            check_validity(each, datetime.now(UTC))
        except UntrustedCertificate as error:
            raise ConfigurationError(
                f"The setting `{setting}` can no longer be used: {error} Put it there, and restart every process."
            ) from None


def _certificates_in_use() -> Iterator[tuple[str, x509.Certificate]]:
    """The certificates this process signs with, which may differ from those now in the files."""
    from segl.service import sealing

    sealer = sealing.current()
    for setting, key in (("seal.certificate", sealer.seal_key), ("signer_ca.certificate", sealer.signer_ca)):
        for each in (key.certificate, *key.chain):
            yield setting, each


def check_database() -> None:
    """Check that the database can be reached and is up to date.

    Raises:
        ConfigurationError: It cannot be reached, or migrations are missing.
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
    """Return the error to report for a driver's error, whose message names host and user but never the password."""
    if denied := _denied(error):
        return ConfigurationError(
            f"The role in the setting `database` lacks a privilege: {denied.diag.message_primary}. Make it the owner "
            "of the database, or GRANT CREATE ON SCHEMA public TO it; migrate and serve with the same role."
        )
    reason = " ".join(str(error).split()).rstrip(".?")
    return ConfigurationError(f"The database cannot be used: {reason}. Correct the setting `database`.")


def _denied(error: BaseException | None) -> "InsufficientPrivilege | None":
    """Return the driver's error behind Django's, if PostgreSQL denied a privilege."""
    from psycopg.errors import InsufficientPrivilege

    while error is not None and not isinstance(error, InsufficientPrivilege):
        error = error.__cause__ or error.__context__
    return error


def _check_class(setting: str, name: str, method: str, kind: str) -> None:
    """Check the class that sends messages: it is instantiated for each, without arguments. The setting is optional."""
    if not name:
        return
    try:
        sends = callable(getattr(import_string(name)(), method, None))
    except Exception as error:  # a module of others may raise anything
        raise ConfigurationError(
            f"The setting `{setting}` is {name!r}, which cannot be loaded: "
            f"{' '.join(str(error).split()).rstrip('.')}. Write the dotted name of {kind}."
        ) from None
    if not sends:
        raise ConfigurationError(
            f"The setting `{setting}` is {name!r}, which has no method {method}: write the dotted name of {kind}."
        )


def _check_documents() -> None:
    from django.db import Error

    from segl.service.store import documents

    try:
        documents.probe()
        lost = documents.are_lost(documents.newest())
    except Error:
        return  # `check_database` reports it
    except Exception as error:  # each kind of store raises its own
        # Errors of object stores have many lines; the first says what is wrong.
        reason = str(error).strip().partition("\n")[0]
        raise ConfigurationError(
            f"The place named by the setting `documents` is not writable: {reason}. Correct it, or the permissions of "
            "the folder; for an object store make the bucket, and set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_REGION and AWS_ENDPOINT_URL, and AWS_ALLOW_HTTP=true if it speaks plain HTTP."
        ) from None
    if lost:
        raise ConfigurationError(
            "The setting `documents` names a place that lacks the documents stored last: name the place they are in, "
            "or restore them."
        )


def _check_master_key() -> None:
    from django.db import Error

    from segl.service.store import documents

    with suppress(Error):  # `check_database` reports it
        try:
            for each in documents.newest():
                documents.unwrap(bytes(each.job.wrapped_key))
        except documents.DocumentDamagedError:
            raise ConfigurationError(
                "The setting `master_key_file` names a key that the documents in the store were not encrypted with: "
                "name the file with the key that they were."
            ) from None


def _check_all(checks: Sequence[Callable[[], object]]) -> None:
    problems = []
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            problems.append(str(error))
    gathered(list(dict.fromkeys(problems)))  # two checks may find the same problem


@contextmanager
def _naming(setting: str, path: Path) -> Iterator[None]:
    """Report errors in the block with the setting's name and the file."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The setting `{setting}` names {path}, which cannot be read: {error.strerror}."
        ) from None
    except SeglError as error:
        raise ConfigurationError(f"The setting `{setting}` names {path}, which cannot be used: {error}") from None


def _certificates(setting: str, *paths: Path) -> Sequence[x509.Certificate]:
    found: list[x509.Certificate] = []
    for path in paths:
        with _naming(setting, path):
            found += load_pem(path.read_bytes())
    return found


def _roots(setting: str, *paths: Path, wanted: str) -> TrustAnchors:
    trust, now = TrustAnchors.of(_certificates(setting, *paths)), datetime.now(UTC)
    if not any(each.not_valid_before_utc <= now <= each.not_valid_after_utc for each in trust.anchors):
        raise ConfigurationError(
            f"The setting `{setting}` names no root certificate that is valid today: name {wanted}."
        )
    return trust


def _key(setting: str, files: KeyFiles) -> PrivateKey:
    _certificates(f"{setting}.certificate", files.certificate)
    with _naming(f"{setting}.private_key", files.private_key):
        return read_key(files)


def _check_anchors(paths: Sequence[Path]) -> TrustAnchors:
    wanted = "the PEM files of the roots that organization certificates chain to"
    return _roots("trust_anchors", *paths, wanted=wanted)


def _check_intermediates(paths: Sequence[Path]) -> None:
    _certificates("intermediates", *paths)


def _check_client_issuers(configuration: Configuration) -> None:
    """Check that each listed issuer chains to a root: the certificates of another would all be refused."""
    if not configuration.clients.issuers:
        return
    trust, paths = _check_anchors(configuration.trust_anchors), configuration.clients.issuers
    known = [*_certificates("intermediates", *configuration.intermediates), *_certificates("clients.issuers", *paths)]
    advice = "Add its root to `trust_anchors` and what is in between to `intermediates`, or remove it here."
    for path in paths:
        for each in _certificates("clients.issuers", path):
            with _naming("clients.issuers", path):
                trust.chain_of_issuer(each, extra=known, at=datetime.now(UTC), advice=advice)


def _seal_root(configuration: Configuration) -> TrustAnchors:
    wanted = "the PEM file of the root that the seal and the signers' CA chain to"
    return _roots("seal.root", configuration.seal_root, wanted=wanted)


def _check_seal(configuration: Configuration) -> None:
    key, trust = _key("seal", configuration.seal), _seal_root(configuration)
    with _naming("seal.certificate", configuration.seal.certificate):
        check_commitment(key.certificate)
        root = trust.chain(key.certificate, extra=key.chain, at=datetime.now(UTC), advice=_CORRECT_CHAIN)[-1]
    if configuration.sandbox is not is_of_sandbox(root):
        raise ConfigurationError(
            "`sandbox = true` is for the throw-away PKI of `segl sandbox`, and no other: correct `sandbox`, or "
            "`seal.certificate` with its key and root."
        )


def _check_signer_ca(configuration: Configuration) -> None:
    key, trust = _key("signer_ca", configuration.signer_ca), _seal_root(configuration)
    with _naming("signer_ca.certificate", configuration.signer_ca.certificate):
        trust.chain_of_issuer(key.certificate, extra=key.chain, at=datetime.now(UTC), advice=_CORRECT_CHAIN)


def _check_server(files: KeyFiles | None) -> None:
    """Check that the chain is complete, in order and valid; whether to trust it is for the clients to check."""
    if files is None:
        return
    key = _key("api", files)
    with _naming("api.certificate", files.certificate):
        for each in (key.certificate, *key.chain):
            check_validity(each, datetime.now(UTC))
        for issued, issuer in pairwise([key.certificate, *key.chain]):
            _check_issued(issued, issuer)


def _check_contact_register(register: ContactRegister | None) -> None:
    if register is None:
        return
    key = _key("contact_register", register.key)
    with _naming("contact_register.certificate", register.key.certificate):
        check_validity(key.certificate, datetime.now(UTC))
        if not isinstance(key.key, rsa.RSAPrivateKey):
            raise UntrustedCertificate(
                f"Maskinporten does not accept the key of {key.certificate.subject.rfc4514_string()}: "
                "name an organization certificate with an RSA key."
            )


def _check_issued(issued: x509.Certificate, issuer: x509.Certificate) -> None:
    try:
        issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        raise UntrustedCertificate(
            f"the certificate {issued.subject.rfc4514_string()} is followed by {issuer.subject.rfc4514_string()}, "
            "which did not issue it: put the server's certificate first, then each certificate's issuer."
        ) from None


def is_of_sandbox(root: x509.Certificate) -> bool:
    """Whether this is the root of a sandbox's throw-away PKI."""
    names = root.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return [each.value for each in names] == [SANDBOX_ORGANIZATION]


def seal_trust(configuration: Configuration) -> TrustAnchors:
    """Return the root that the service's own results are verified against."""
    return TrustAnchors.from_pem(configuration.seal_root.read_bytes())


def read_key(files: KeyFiles) -> PrivateKey:
    """Return a private key with its certificate and chain."""
    return PrivateKey.from_pem(files.certificate.read_bytes(), files.private_key.read_bytes())
