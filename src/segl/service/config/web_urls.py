"""The URLs of the pages listener."""

from django.urls import include, path

urlpatterns = [path("", include("segl.service.web.urls")), path("", include("segl.service.signer_portal.urls"))]
