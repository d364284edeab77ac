"""How a configuration sets up the connections to the service, for any client."""

import sys
from functools import cache
from typing import Any

import httpx

import segl
from segl.sdk.configuration import ClientConfiguration, Proxy
from segl.sdk.pacing import Pace
from segl.sdk.tls import client_context


@cache
def pace(api_root: str, organization_number: str | None, calls_per_second: float | None) -> Pace | None:
    """Return the pace of an organization, the same for all its clients in this process, as the service counts."""
    return None if calls_per_second is None else Pace(calls_per_second)


def connection(configuration: ClientConfiguration) -> dict[str, Any]:
    """Return the arguments of httpx's clients, sync and async; environment variables are ignored."""
    environment, timeouts, proxy = configuration.environment, configuration.timeouts, configuration.proxy
    system = f"Python {sys.version.split()[0]}; {sys.platform}"
    return {
        "verify": client_context(
            anchors=environment.anchors(),
            organization_number=environment.organization_number,
            key=configuration.certificate,
        ),
        "headers": {
            "Accept-Encoding": "identity",
            "User-Agent": f"segl-python/{segl.__version__} ({system}) {configuration.user_agent_suffix}".rstrip(),
        },
        "timeout": httpx.Timeout(timeouts.call, connect=timeouts.connect),
        "limits": httpx.Limits(max_connections=configuration.connections),
        "proxy": proxy and httpx.Proxy(proxy.url, auth=_credentials(proxy)),
        "auth": configuration.auth,
        "trust_env": False,
        "follow_redirects": False,
    }


def _credentials(proxy: Proxy) -> tuple[str, str] | None:
    return None if proxy.user is None or proxy.password is None else (proxy.user, proxy.password)
