"""The URLs of a sandbox's pages: the service's, the stand-ins for external services, and the faults."""

from django.urls import path

from segl.sandbox.faults.page import faults, one_fault, unless
from segl.sandbox.organizations import organizations
from segl.sandbox.stand_ins import contact_register, maskinporten
from segl.sandbox.stand_ins.outbox import outbox
from segl.sandbox.stand_ins.test_eid import test_eid
from segl.service.config.web_urls import handler500
from segl.service.config.web_urls import urlpatterns as pages

__all__ = ["handler500", "urlpatterns"]

urlpatterns = [
    path("outbox", outbox, name="outbox"),
    path("sandbox/organizations", organizations),
    path("sandbox/faults", faults),
    path("sandbox/faults/<str:fault_id>", one_fault),
    path("contact-register", contact_register.edit),
    path("contact-register/rest/v2/personer", unless("register-down", contact_register.look_up)),
    path("maskinporten/token", unless("register-down", maskinporten.token)),
    path("test-eid", unless("eid-down", test_eid), name="test-eid"),
    *pages,
]
