"""The processes of the service: for the API, for the pages, and the worker. Any number of each may run side by side.

SIGTERM or SIGINT stops each, after it has finished what it has begun.
"""

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segl.service import rendering
from segl.service.config import checking, wiring
from segl.service.config.reading import ConfigurationError
from segl.service.configuration import Address, Configuration
from segl.service.http.health import Readiness, serve_health
from segl.service.http.servers import Listener, serve

if TYPE_CHECKING:
    from segl.service.worker import Worker

logger = logging.getLogger(__name__)

_A_DAY = 24 * 3600.0


def serve_api(path: Path) -> None:
    """Serve the API, directly or behind a proxy or both, as configured.

    Raises:
        ConfigurationError: Something keeps it from serving.
    """
    configuration = _started(path)
    from segl.service.config.listeners import direct_api, proxied_api

    api, readiness = configuration.api, Readiness(checking.check_surroundings)
    with ExitStack() as stack:
        listeners = []
        if api.listen and api.tls:
            bound = stack.enter_context(listening("api.listen", api.listen))
            listeners.append(direct_api(bound, configuration, api.tls))
        if api.proxy:
            bound = stack.enter_context(listening("api.proxy.listen", api.proxy.listen))
            listeners.append(proxied_api(bound, configuration, api.proxy, readiness))
        if not listeners:
            raise ConfigurationError(
                "The API has no listener: set `api.proxy.listen` (behind a proxy) or `api.listen` (with TLS)."
            )
        _serve("api", listeners)


def serve_web(path: Path) -> None:
    """Serve the pages, behind a proxy.

    Raises:
        ConfigurationError: Something keeps it from serving.
    """
    configuration = _started(path)
    from segl.service.config.listeners import pages

    if configuration.web.listen is None:
        raise ConfigurationError("The pages have no listener: set `web.listen`.")
    with listening("web.listen", configuration.web.listen) as bound:
        _serve("web", [pages(bound, configuration, Readiness(checking.check_surroundings))])


def serve_worker(path: Path) -> None:
    """Do what is due, and answer health checks if `worker.listen` is set.

    Raises:
        ConfigurationError: Something keeps it from working.
    """
    configuration = _started(path)
    with ExitStack() as stack:
        if configuration.worker_listen:
            bound = stack.enter_context(listening("worker.listen", configuration.worker_listen))
            serve_health(bound, Readiness(checking.check_surroundings))
        logger.info("segl serve worker is running.")
        work(stopped_by=[signal.SIGINT, signal.SIGTERM])


def work(*, stopped_by: Iterable[signal.Signals], alongside: Callable[["Worker"], None] = lambda worker: None) -> None:
    """Do what is due until one of these signals arrives, then finish what was begun; only for the main thread.

    `alongside` is called with the worker, in a separate thread.
    """
    from segl.service.worker import Worker

    worker = Worker()
    for number in stopped_by:
        signal.signal(number, lambda *_: worker.stop())
    threading.Thread(target=alongside, args=[worker], name="alongside", daemon=True).start()
    threading.Thread(target=_warn_daily, name="expiry", daemon=True).start()
    warm_up()
    worker.run()


def migrate(path: Path) -> None:
    """Bring the database up to date.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    configuration = wiring.set_up(path)
    from django.db import Error

    try:
        wiring.prepare_database(configuration)
    except Error as error:
        raise checking.unusable_database(error) from None


@contextmanager
def listening(setting: str, address: Address) -> Iterator[socket.socket]:
    """Open a socket that listens on this address.

    Raises:
        ConfigurationError: It cannot.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        bound = socket.create_server((address.host, address.port), family=family, backlog=512)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {address}, the setting `{setting}`: {error.strerror or error}. "
            "Use an address of this machine and a port that no other process uses."
        ) from None
    with bound:
        yield bound


def warm_up() -> None:
    """Load in the background what the first request would otherwise wait for."""
    threading.Thread(target=_load, name="warm-up", daemon=True).start()


def _warn_daily() -> None:
    while True:
        checking.warn_of_expiry()
        time.sleep(_A_DAY)


def _load() -> None:
    from segl.core import pades

    rendering.warm_up()
    _ = pades.seal, pades.verify


def _started(path: Path) -> Configuration:
    configuration = wiring.set_up(path)
    checking.check_all(configuration)
    wiring.give_keys(configuration)
    return configuration


def _serve(kind: str, listeners: Sequence[Listener]) -> None:
    def ready() -> None:
        for each in listeners:
            host, port = each.socket.getsockname()[:2]
            logger.info("segl serve %s accepts calls on %s.", kind, Address(host, port))
        warm_up()

    serve(listeners, ready=ready)
