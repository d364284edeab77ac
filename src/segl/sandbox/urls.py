"""The pages of a sandbox: those of the service, the test eID, the outbox, the contact register and its token server."""

from django.urls import include, path

from segl.sandbox import contact_register, maskinporten
from segl.sandbox.organizations import organizations
from segl.sandbox.outbox import outbox
from segl.service.config.web_urls import urlpatterns as pages

urlpatterns = [
    path("outbox", outbox, name="outbox"),
    path("sandbox/organizations", organizations),
    path("contact-register", contact_register.edit),
    path("contact-register/rest/v2/personer", contact_register.unless_down(contact_register.look_up)),
    path("maskinporten/token", contact_register.unless_down(maskinporten.token)),
    path("", include("segl.service.identity.urls")),
    *pages,
]
