"""The URLs of a sandbox's API: the service's, and one for tests."""

from django.urls import path

from segl.sandbox.devmode import devmodesign
from segl.service.sender_api.urls import urlpatterns as api

urlpatterns = [path("web/portal/signature-jobs/<int:job_id>/devmodesign", devmodesign), *api]
