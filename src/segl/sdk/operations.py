"""The API's calls that every flow has, as operations: what is sent, and how the answers are read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from segl.core.errors import InvalidInput
from segl.core.keys import SigningKey
from segl.core.type_checks import check_kind
from segl.sdk.callbacks import check_done
from segl.sdk.creating import Creation, created
from segl.sdk.errors import ForeignUrlError
from segl.sdk.exchange import BINARY, XML, Operation, Request, Response, require, sent
from segl.sdk.pacing import Pace
from segl.sdk.references import ConfirmationReference, DeleteDocumentsReference, PadesReference, XadesReference
from segl.sdk.senders import Sender


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Operations:
    """The calls of any flow below one API root (without a slash at its end), for one organization certificate.

    retries:
        How often a request that is safe to repeat is repeated.
    keeps_idempotency_keys:
        Whether the service makes one job of all creations with the same Idempotency-Key, so that they are safe too.
    see_package:
        Called with each package before it is sent.
    pace:
        Spreads the calls.
    """

    api_root: str
    key: SigningKey
    sender: Sender | None = None
    create_wait: float | None = None
    download_wait: float | None = None
    retries: int = 0
    keeps_idempotency_keys: bool = False
    see_package: Callable[[Any, bytes], object] | None = None
    pace: Pace | None = None

    def who_am_i(self, sender: Sender | None) -> Operation[str]:
        response = yield from self._sent(Request("GET", self._organization(sender), {}))
        require(response, 200)
        return response.content.decode("utf-8", errors="replace")

    def confirm(self, reference: ConfirmationReference) -> Operation[None]:
        check_kind("The reference", reference, ConfirmationReference, write="a change's confirmation_reference")
        response = yield from self._sent(Request("POST", self._own(reference.url), {"Accept": XML}))
        if not (response.repeated and response.status == 404):  # then an earlier attempt succeeded
            require(response)

    def delete_documents(self, reference: DeleteDocumentsReference) -> Operation[None]:
        write = "a change's delete_documents_reference"
        check_kind("The reference", reference, DeleteDocumentsReference, write=write)
        response = yield from self._sent(Request("DELETE", self._own(reference.url), {"Accept": XML}))
        if not (response.repeated and response.status == 404):  # as for `confirm`
            require(response)

    def xades(self, reference: XadesReference) -> Callable[[], Operation[Response]]:
        check_kind("The reference", reference, XadesReference, write="a signature's xades_reference")
        request = Request("GET", self._own(reference.url), {"Accept": XML}, wait=self.download_wait)
        return lambda: self._downloaded(request)

    def pades(self, reference: PadesReference) -> Callable[[], Operation[Response]]:
        check_kind("The reference", reference, PadesReference, write="a change's pades_reference")
        accepted = {"Accept": f"{BINARY}, {XML}"}
        request = Request("GET", self._own(reference.url), accepted, wait=self.download_wait)
        return lambda: self._downloaded(request)

    def _downloaded(self, request: Request) -> Operation[Response]:
        response = yield from self._sent(request)
        require(response, 200)
        return response

    def _sent(self, request: Request) -> Operation[Response]:
        return sent(lambda: request, self.retries, self.pace)

    def _created(self, creation: Creation) -> Operation[Response]:
        """Create the job; return the service's answer."""

        def build(signing_time: datetime, idempotency_key: str | None) -> Request:
            package = creation.package(self.key, signing_time)
            if self.see_package:
                check_done(self.see_package(creation.job, b"".join(package)), "see_package")
            return creation.posted(package, idempotency_key, wait=self.create_wait)

        return created(build, self.retries, self.pace, keeps_keys=self.keeps_idempotency_keys)

    def _sender(self, sender: Sender | None) -> Sender:
        chosen = sender or self.sender
        if chosen is None:
            raise InvalidInput("No sender: give one with the call, on the job or in the ClientConfiguration.")
        check_kind("The sender", chosen, Sender, write='Sender("…")')
        return chosen

    def _organization(self, sender: Sender | None) -> str:
        return f"{self.api_root}/{quote(self._sender(sender).organization_number, safe='')}"

    def _own(self, url: str) -> str:
        """Return the URL if it is below the API root: no response may direct our requests anywhere else."""
        try:
            root, parts = urlsplit(self.api_root), urlsplit(url)
        except ValueError:
            raise ForeignUrlError(f"{url!r} is not a URL; nothing was sent there.") from None
        path = unquote(parts.path)
        below = path.startswith(f"{root.path}/") and not {".", ".."} & set(path.split("/")) and "\\" not in path
        if _origin(root.scheme, root.netloc) != _origin(parts.scheme, parts.netloc) or not below:
            raise ForeignUrlError(f"{url!r} is not below the API root {self.api_root!r}; nothing was sent there.")
        return url


def _origin(scheme: str, netloc: str) -> tuple[str, str]:
    default = {"https": ":443", "http": ":80"}.get(scheme.lower(), "")
    return scheme.lower(), netloc.lower().removesuffix(default)
