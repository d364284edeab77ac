"""The pages of a sandbox: those of the service, the test eID and the outbox."""

from django.urls import include, path

from segl.sandbox.organizations import organizations
from segl.sandbox.outbox import outbox
from segl.service.config.web_urls import urlpatterns as pages

urlpatterns = [
    path("outbox", outbox, name="outbox"),
    path("sandbox/organizations", organizations),
    path("", include("segl.service.identity.urls")),
    *pages,
]
