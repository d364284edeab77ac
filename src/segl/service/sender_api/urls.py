"""The URLs of the API listener, below its root."""

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from segl.core.organizations import NUMBER
from segl.service.sender_api import views
from segl.service.sender_api.views import Resource


class OrganizationNumberConverter(StringConverter):
    """Nine digits; any other sender is no resource."""

    regex = NUMBER


register_converter(OrganizationNumberConverter, "organization")

_JOBS = "<organization:sender_number>/portal/signature-jobs"

# Outside the resources, too, the API speaks its own language rather than that of the pages.
handler400, handler404, handler500 = views.refused, views.not_found, views.failed

_resources = [
    path("<organization:sender_number>", Resource(GET=views.who_am_i)),
    path(_JOBS, Resource(GET=views.poll, POST=views.create_portal_job)),
    path(f"{_JOBS}/<int:job_id>/complete", Resource(POST=views.confirm)),
    path(f"{_JOBS}/<int:job_id>/cancel", Resource(POST=views.cancel)),
    path(f"{_JOBS}/<int:job_id>/xades/<int:number>", Resource(GET=views.xades)),
    path(f"{_JOBS}/<int:job_id>/pades", Resource(GET=views.pades)),
    path(f"{_JOBS}/<int:job_id>/documents", Resource(DELETE=views.delete)),
]

# A client whose root URL was configured with a slash at its end sends two.
urlpatterns = [path("api//", include(_resources)), path("api/", include(_resources)), re_path("", views.not_found)]
