"""Starts a process of the service: Django, the database, the organizations, the signing keys."""

import os
from datetime import UTC, datetime
from pathlib import Path

import django
from cryptography import x509

from segl.core.certificates import TrustAnchors
from segl.core.keys import PrivateKey
from segl.service.config.configuration import Configuration, ConfigurationError, KeyFiles

# What the subject of the root says in a sandbox's throw-away PKI, and nowhere else.
SANDBOX_ORGANIZATION = "Segl sandbox - no legal effect"


def start(configuration: Path) -> Configuration:
    """Set Django up with this configuration file and give the process its keys; call it before all else.

    Raises:
        ConfigurationError: The file or a setting is wrong.
    """
    os.environ["SEGL_CONFIG"] = str(configuration)
    os.environ["DJANGO_SETTINGS_MODULE"] = "segl.service.config.settings"
    django.setup()
    from django.conf import settings

    _load_keys(settings.SEGL)
    return settings.SEGL


def prepare_database(configuration: Configuration) -> None:
    """Bring the tables up to date and enter the organizations that the configuration names."""
    from django.core.management import call_command

    from segl.service.store.models import Organization
    from segl.service.store.transactions import write

    call_command("migrate", verbosity=0, interactive=False)
    with write():
        for each in configuration.organizations:
            Organization.objects.update_or_create(
                number=each.number, defaults={"name": each.name, "sector": each.sector}
            )
        for each in configuration.organizations:
            senders = Organization.objects.filter(pk__in=each.broker_for)
            Organization.objects.get(pk=each.number).broker_for.set(senders)


def release_leases() -> None:
    """End what a process that is gone had claimed. Only for a service that is alone on its database."""
    from segl.service import due
    from segl.service.work.perform import WORK

    for model in WORK:
        due.release_all(model)


def _load_keys(configuration: Configuration) -> None:
    from segl.service import sealing

    seal_key = _key(configuration.seal)
    trust = TrustAnchors.from_pem(_read(configuration.seal_root))
    root = trust.chain(seal_key.certificate, extra=seal_key.chain, at=datetime.now(UTC))[-1]
    if configuration.sandbox is not is_of_sandbox(root):
        raise ConfigurationError(
            "`sandbox = true` goes with the throw-away PKI that `segl sandbox` makes, and with nothing else: "
            "correct `sandbox` or the certificate of `[seal]`."
        )
    sealing.configure(sealing.Sealer(seal_key=seal_key, signer_ca=_key(configuration.signer_ca), trust=trust))


def is_of_sandbox(root: x509.Certificate) -> bool:
    """Whether this is the root of a sandbox's throw-away PKI."""
    names = root.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return [each.value for each in names] == [SANDBOX_ORGANIZATION]


def _key(files: KeyFiles) -> PrivateKey:
    return PrivateKey.from_pem(_read(files.certificate), _read(files.private_key))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The file {path} cannot be read: {error.strerror}.") from error
