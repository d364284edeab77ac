"""Starts a process of the service: Django, the database, the organizations, the signing keys."""

import os
from pathlib import Path

import django

from segl.service import configuration
from segl.service.config import checking
from segl.service.config.reading import ConfigurationError
from segl.service.configuration import Configuration, ContactRegister


def start(path: Path) -> Configuration:
    """Set Django up with this configuration file and give the process its keys; call it before anything else.

    Raises:
        ConfigurationError: The file or a setting is wrong, or a key or certificate cannot be used.
    """
    settings = set_up(path)
    checking.check_certificates(settings)
    give_keys(settings)
    return settings


def give_keys(configuration: Configuration) -> None:
    """Give the process its keys, which must have been checked. Logs a warning of those that others can read."""
    from segl.service import sealing

    checking.warn_of_readable_secrets(configuration)
    sealing.configure(
        sealing.Sealer(
            seal_key=checking.read_key(configuration.seal),
            signer_ca=checking.read_key(configuration.signer_ca),
            trust=checking.seal_trust(configuration),
        )
    )
    if configuration.contact_register:
        _configure(configuration.contact_register)
    # The eID provider (`segl.service.identity.provider.configure`) belongs here as soon as production has one. In a
    # sandbox, `segl.sandbox.stand_ins.apps` hands in the test eID.


def _configure(settings: ContactRegister) -> None:
    from segl.service.notifications import contact_register
    from segl.service.notifications.maskinporten import Maskinporten

    maskinporten = Maskinporten(
        token_endpoint=settings.token_endpoint,
        issuer=settings.issuer,
        client_id=settings.client_id,
        scope=settings.scope,
        key=checking.read_key(settings.key),
    )
    register = contact_register.HttpContactRegister(settings.url, maskinporten=maskinporten)
    contact_register.configure(register)


def set_up(path: Path) -> Configuration:
    """Set Django up with this configuration file, without keys: enough to work on the database alone.

    Raises:
        ConfigurationError: The file or a setting is wrong.
    """
    os.environ["SEGL_CONFIG"] = str(path)
    os.environ["DJANGO_SETTINGS_MODULE"] = "segl.service.config.settings"
    django.setup()  # which loads the configuration
    return configuration.current()


def prepare_database(configuration: Configuration) -> None:
    """Migrate the database and register the organizations in the configuration.

    Raises:
        ConfigurationError: An organization is to act for one that is not registered; then none is registered.
    """
    from django.core.management import call_command

    from segl.service.store.transactions import migrating

    with migrating():
        call_command("migrate", verbosity=0, interactive=False)
        _enter_organizations(configuration)


def _enter_organizations(configuration: Configuration) -> None:
    from segl.service.organizations import OrganizationError, enter_organizations

    try:
        enter_organizations(configuration.organizations)
    except OrganizationError as error:
        raise ConfigurationError(f"The setting `organizations` cannot be used: {error}") from None


def release_leases() -> None:
    """Release the leases of a process that no longer runs. Only for a service that has its database to itself."""
    from segl.service import due
    from segl.service.jobs import reserving
    from segl.service.work.kinds import WORK

    for model in WORK:
        due.release_all(model)
    reserving.release_all()
