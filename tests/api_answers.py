"""What the API answered, read as a client reads it, and held against the official schema where that is at hand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx
import pytest
from django.http.response import HttpResponseBase
from lxml import etree

from certificates import Authority
from segl.core.protocol import ErrorMessage
from segl.sdk import Sender, transport
from segl.sdk.exchange import Response
from segl.sdk.handling import Pause, handling
from segl.sdk.portal.operations import PortalOperations


def error(response: HttpResponseBase) -> tuple[int, str, str]:
    """Status, code and message of an answer that must be an error document of the wire."""
    assert response["Content-Type"] == "application/xml"
    read = ErrorMessage.from_xml(response.content)  # type: ignore[attr-defined]  # it does not stream
    assert read.type == ("SERVER" if response.status_code >= 500 else "CLIENT")
    return response.status_code, read.code, read.message


def assert_valid(content: bytes) -> None:
    """A message of the API is as the official XSD says, if SIGNATURE_API_REFERENCE names the folder that has it."""
    if schema := _schema(os.environ.get("SIGNATURE_API_REFERENCE")):
        schema.assertValid(etree.fromstring(content))


def assert_loop_survives(response: HttpResponseBase) -> None:
    """The SDK's loop over status changes goes on when a poll is answered so."""
    operations = PortalOperations("https://api.example.org/api", Authority.root().organization("123456789"))
    loop = handling(operations, Sender("123456789"))
    next(loop)
    headers = {name.lower(): value for name, value in response.items()}
    answer = Response(response.status_code, headers, response.content)  # type: ignore[attr-defined]  # as above
    assert isinstance(loop.send(answer), Pause)


@contextmanager
def held_against_schema() -> Iterator[None]:
    """Meanwhile each answer that a client of our SDK in this process gets must be valid, errors too."""
    read, read_async = transport._read, transport._read_async

    def valid(response: Response) -> Response:
        if response.content and response.headers.get("content-type") == "application/xml":
            assert_valid(response.content)
        return response

    async def valid_async(answer: httpx.Response) -> Response:
        return valid(await read_async(answer))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "_read", lambda answer: valid(read(answer)))
        patch.setattr(transport, "_read_async", valid_async)
        yield


@cache
def _schema(folder: str | None) -> etree.XMLSchema | None:
    return etree.XMLSchema(etree.parse(Path(folder) / "schema" / "direct-and-portal.xsd")) if folder else None
