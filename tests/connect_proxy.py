"""An HTTP proxy that tunnels (RFC 9110, CONNECT) for those who know its password."""

import base64
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ConnectProxy:
    port: int
    credentials: str
    """user:password"""
    tunnelled: list[str] = field(default_factory=list)
    """Where tunnels led."""
    refused: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def connect_proxy(credentials: str) -> Iterator[ConnectProxy]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.proxy = ConnectProxy(server.server_port, credentials)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.proxy
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    proxy: ConnectProxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_CONNECT(self) -> None:
        proxy = self.server.proxy
        expected = "Basic " + base64.b64encode(proxy.credentials.encode()).decode()
        if self.headers.get("Proxy-Authorization") != expected:
            proxy.refused += 1
            self.send_error(407)
            return
        proxy.tunnelled.append(self.path)
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as service:
            self.send_response(200)
            self.end_headers()
            _tunnel(self.connection, service)

    def log_message(self, *_: Any) -> None:
        pass


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # they are sockets
                if not data:
                    return
                key.data.sendall(data)
