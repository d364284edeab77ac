"""The URLs of the API listener, below its root."""

from django.urls import URLPattern, URLResolver, include, path, register_converter
from django.urls.converters import StringConverter

from segl.core.organizations import NUMBER
from segl.service.sender_api import resources
from segl.service.sender_api.resources import Resource


class OrganizationNumberConverter(StringConverter):
    """Nine digits; any other sender is not found."""

    regex = NUMBER


register_converter(OrganizationNumberConverter, "organization")

_resources: list[URLPattern | URLResolver] = [
    path("<organization:sender_number>", Resource(GET=resources.who_am_i)),
    path("<organization:sender_number>/portal/signature-jobs", include("segl.service.sender_api.portal.urls")),
]

# A client whose root URL is configured with a trailing slash sends two.
urlpatterns = [path("api//", include(_resources)), path("api/", include(_resources))]
