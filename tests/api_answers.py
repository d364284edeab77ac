"""What the API answered, read as a client reads it."""

from django.http.response import HttpResponseBase

from segl.core.protocol import ErrorMessage


def error(response: HttpResponseBase) -> tuple[int, str, str]:
    """Status, code and message of an answer that must be an error document of the wire."""
    assert response["Content-Type"] == "application/xml"
    read = ErrorMessage.from_xml(response.content)  # type: ignore[attr-defined]  # it does not stream
    assert read.type == ("SERVER" if response.status_code >= 500 else "CLIENT")
    return response.status_code, read.code, read.message
