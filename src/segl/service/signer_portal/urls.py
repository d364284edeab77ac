"""The URLs of the signers' pages, under the web root."""

from django.urls import include, path

import segl.service.web.converters  # noqa: F401 - registers <number:…>
from segl.service.signer_portal.views import acting, link, log_in, reading, receipt

_of_a_signer = [
    path("", reading.signing_page, name="signer"),
    path("/documents/<number:document>/pages/<number:page>/picture", reading.page_image, name="page"),
    path("/documents/<number:document>/original", reading.original, name="original"),
    path("/sign", acting.sign, name="sign"),
    path("/reject", acting.reject, name="reject"),
    path("/receipt", receipt.receipt, name="receipt"),
    path("/signed.pdf", receipt.signed_pdf, name="signed-pdf"),
    path("/xades", receipt.xades, name="xades"),
    path("/end-link", receipt.end_link, name="end-link"),
]

urlpatterns = [
    path("", log_in.start, name="start"),
    path("log-in", log_in.log_in, name="log-in"),
    path("log-in/return", log_in.come_back, name="log-in-return"),
    path("log-out", log_in.log_out, name="log-out"),
    path("s/<str:token>", link.code_page, name="link"),
    path("s/<str:token>/new-code", link.new_code, name="new-code"),
    path("jobs/<number:job_id>/signers/<number:number>", include(_of_a_signer)),
]
