"""`manage.py segl_poll`: hands the status changes of jobs to the program's handler until it is stopped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections, transaction
from django.utils.module_loading import import_string

from segl.sdk import ClientConfiguration, JobStatusChange, PollingQueue, PortalClient, SeglError, Sender
from segl.sdk.callbacks import check_plain


class Command(BaseCommand):
    help = "Hand the status changes of signing jobs to SEGL_STATUS_CHANGE_HANDLER; several may run. Ctrl-C ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", metavar="NAME", help="the polling queue; by default the configuration's")
        parser.add_argument("--sender", metavar="NUMBER", help="the organization; by default the configuration's")

    def handle(self, *_: object, **options: Any) -> None:
        configuration, handler = _configuration(), _named("SEGL_STATUS_CHANGE_HANDLER")
        try:
            with PortalClient(configuration) as client:
                client.handle_status_changes(_in_transaction(handler), _sender(configuration.sender, options))
        except SeglError as error:
            raise CommandError(str(error)) from error


def _in_transaction(handler: Callable[[JobStatusChange], object]) -> Callable[[JobStatusChange], object]:
    check_plain(handler, "SEGL_STATUS_CHANGE_HANDLER")

    def handle(change: JobStatusChange) -> object:
        close_old_connections()  # the database may have been restarted while the queue was empty
        with transaction.atomic(durable=True):
            result = handler(change)
            if transaction.get_rollback():
                raise RuntimeError("The handler had its transaction rolled back, so the change is not confirmed.")
        return result

    return handle


def _configuration() -> ClientConfiguration:
    found = _named("SEGL_CLIENT_CONFIGURATION")
    configuration = found() if callable(found) else found
    if not isinstance(configuration, ClientConfiguration):
        raise CommandError(
            f"SEGL_CLIENT_CONFIGURATION gives a {type(configuration).__name__}; it must give a ClientConfiguration."
        )
    return configuration


def _named(setting: str) -> Any:
    """Import what the dotted name in a setting refers to."""
    name = getattr(settings, setting, None)
    if not isinstance(name, str):
        raise CommandError(f'Set {setting} to a dotted name, such as "shop.signing.handle".')
    try:
        return import_string(name)
    except ImportError as error:
        raise CommandError(f"{setting} is {name!r}: {error}.") from error


def _sender(configured: Sender | None, options: dict[str, Any]) -> Sender | None:
    """Return the sender to poll for: the configured one, overridden by the command line."""
    queue = None if options["queue"] is None else PollingQueue(options["queue"])
    if options["sender"] is not None:
        return Sender(options["sender"], queue or PollingQueue())
    return replace(configured, polling_queue=queue) if configured and queue else configured
