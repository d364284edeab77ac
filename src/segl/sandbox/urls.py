"""The pages of a sandbox: those of the service, the test eID, the outbox and the faults."""

from django.urls import path

from segl.sandbox.faults_page import faults, one_fault, unless_down
from segl.sandbox.outbox import outbox
from segl.service.config.web_urls import urlpatterns as pages
from segl.service.identity.test_eid import test_eid

urlpatterns = [
    path("outbox", outbox, name="outbox"),
    path("sandbox/faults", faults),
    path("sandbox/faults/<str:fault_id>", one_fault),
    path("test-eid", unless_down(test_eid), name="test-eid"),
    *pages,
]
