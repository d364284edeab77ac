"""The URLs of the pages' listener."""

from django.urls import include, path

handler500 = "segl.service.web.errors.failed"

urlpatterns = [path("", include("segl.service.web.urls")), path("", include("segl.service.signer_portal.urls"))]
