"""The URLs of the signers' pages, under the web root."""

from django.urls import include, path, register_converter
from django.urls.converters import IntConverter
from django.views.i18n import set_language

from segl.service.signer_portal import assets
from segl.service.signer_portal.views import acting, link, log_in, reading, receipt


class NumberConverter(IntConverter):
    """A number that the database can look up."""

    def to_python(self, value: str) -> int:
        """The number.

        Raises:
            ValueError: It is too large: the URL does not match.
        """
        number = int(value)
        if number >= 2**31:
            raise ValueError("There is no such number.")
        return number


register_converter(NumberConverter, "number")

_of_a_signer = [
    path("", reading.signing_page, name="signer"),
    path("/documents/<number:document>/pages/<number:page>.jpg", reading.page_image, name="page"),
    path("/documents/<number:document>/original", reading.original, name="original"),
    path("/sign", acting.sign, name="sign"),
    path("/reject", acting.reject, name="reject"),
    path("/receipt", receipt.receipt, name="receipt"),
    path("/signed.pdf", receipt.signed_pdf, name="signed-pdf"),
    path("/xades", receipt.xades, name="xades"),
]

urlpatterns = [
    path("", log_in.start, name="start"),
    path("log-in", log_in.log_in, name="log-in"),
    path("log-in/return", log_in.come_back, name="log-in-return"),
    path("log-out", log_in.log_out, name="log-out"),
    path("language", set_language, name="language"),
    path("s/<str:token>", link.code_page, name="link"),
    path("s/<str:token>/new-code", link.new_code, name="new-code"),
    path("jobs/<number:job_id>/signers/<number:number>", include(_of_a_signer)),
    path("static/<str:name>", assets.static, name="static"),
]
