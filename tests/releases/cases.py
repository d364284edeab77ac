"""A job in every state that a release knows, and what comes of each.

Before a release is kept, each state that it brought gets a case here. Those that take time come first, since the clock
moves for all.
"""

from datetime import timedelta
from http.cookies import SimpleCookie
from typing import ClassVar

from django.conf import settings

from browsers import Browser
from builders import KARI
from releases.case import CONTRACT, PEOPLE, Case
from releases.service import BROKER, NOW, PRIVATE
from segl.core.protocol import (
    AuthenticationLevel,
    Availability,
    IdentifierInSignedDocuments,
    OnBehalfOf,
    PortalJobResponse,
    SignatureType,
)
from segl.service import due
from segl.service.notifications.contact_register import ContactDetails
from segl.service.store.models import Due, Notification, Organization, Sealing, Signing

A_DAY = timedelta(days=1)


class DocumentsDeleted(Case):
    """Completed and confirmed; then the sender had the documents deleted."""

    def begin(self) -> None:
        self.create()
        self.sign()
        change = self.expect("COMPLETED_SUCCESSFULLY", "SIGNED")
        self.confirm(change)
        self.let_pass(A_DAY)
        assert self.call("DELETE", change.delete_documents_url or "").status_code == 204
        self.kept |= {"pades": change.pades_url, "documents": change.delete_documents_url}

    def go_on(self) -> None:
        assert "slettet dokumentene" in self.open().content.decode()
        assert self.call("GET", self.kept["pades"]).status_code == 404
        assert self.call("DELETE", self.kept["documents"]).status_code == 204
        assert self.poll() is None


class DeadlinePassed(Case):
    """Nobody signed in time."""

    def begin(self) -> None:
        self.create(availability=Availability(available_seconds=60))
        self.let_pass(timedelta(seconds=60))

    def go_on(self) -> None:
        assert self.open().status_code == 410
        assert self.work()
        assert self.service.messages_to(self.email(1)) == []
        assert self.call("POST", self.kept["cancellation"]).status_code == 204
        self.fails("CANCELLED")


class Parked(Case):
    """Work that failed too often, and waits for an operator."""

    kind: ClassVar[type[Due]]

    def park(self) -> None:
        for _ in range(due.MAX_ATTEMPTS):
            self.work(self.kind)
            self.let_pass(timedelta(hours=1))
        assert due.parked(self.kind).exists()

    def release(self) -> None:
        assert self.work()  # which does nothing that is parked
        due.release_parked(self.kind)
        assert self.work()


class SigningParked(Parked):
    """Agreed to, but the signature could not be made."""

    kind = Signing

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.agree()
        with self.service.without_keys():
            self.park()

    def go_on(self) -> None:
        assert self.poll() is None
        self.release()
        self.confirm(self.expect("IN_PROGRESS", "SIGNED", "WAITING"))
        self.reject(2)
        self.fails("SIGNED", "REJECTED")


class SealingParked(Parked):
    """Signed by all, but the documents were damaged."""

    kind = Sealing

    def begin(self) -> None:
        self.create()
        self.agree()
        self.work(Signing)
        with self.service.with_damaged_documents():
            self.park()

    def go_on(self) -> None:
        assert self.poll() is None
        self.release()
        self.completes()


class NotificationParked(Parked):
    """The message could not be sent."""

    kind = Notification

    def begin(self) -> None:
        self.create(self.contact(1))
        with self.service.without_mail():
            self.park()

    def go_on(self) -> None:
        assert self.service.messages_to(self.email(1)) == []
        self.release()
        self.reject(link=self.link(1))
        self.fails("REJECTED")


class Waiting(Case):
    """Created a moment ago, with all that a sender can say; nobody was notified yet."""

    def begin(self) -> None:
        self.create(
            self.person(1, on_behalf_of=OnBehalfOf.OTHER),
            self.person(2),
            description="Gjelder sesongen 2027.",
            nonsensitive_title="En avtale",
            required_authentication=AuthenticationLevel.THREE,
            identifier_in_signed_documents=IdentifierInSignedDocuments.NAME,
        )

    def go_on(self) -> None:
        assert self.work()
        for number in (1, 2):
            [text] = self.service.messages_to(self.email(number))
            assert "«En avtale»" in text
            page = Browser().log_in(*PEOPLE[number], level=3, then=self.page(number))
            assert "Gjelder sesongen 2027." in page.content.decode()
            self.sign(number, browser=page.client)
        assert [each.signer_identity for each in self.completes()] == ["", ""]


class Notified(Case):
    """The message with link and code was sent."""

    def begin(self) -> None:
        self.create(self.contact(1))
        self.work()
        self.kept["link"] = self.link(1)

    def go_on(self) -> None:
        assert self.work()
        assert self.service.messages_to(self.email(1)) == []
        self.sign(link=self.kept["link"])
        self.completes()


class NotificationClaimed(Case):
    """The process that was to send the message ended while it held the lease."""

    def begin(self) -> None:
        self.create()
        assert self.service.claim(self.job, Notification)

    def go_on(self) -> None:
        assert self.work()
        assert len(self.service.messages_to(self.email(1))) == 1
        self.reject()
        self.fails("REJECTED")


class NotificationFailed(Case):
    """The message could not be sent the first time."""

    def begin(self) -> None:
        self.create()
        with self.service.without_mail():
            self.work()

    def go_on(self) -> None:
        self.let_pass(due.FIRST_BACKOFF)
        assert self.work()
        assert len(self.service.messages_to(self.email(1))) == 1
        self.reject()
        self.fails("REJECTED")


class TextMessage(Case):
    """Addressed by a mobile number, and not notified yet."""

    def begin(self) -> None:
        self.create(self.person(1, sms="99999999"))

    def go_on(self) -> None:
        assert self.work()
        assert len(self.service.messages_to("99999999")) == 1
        self.reject()
        self.fails("REJECTED")


class ActivatesLater(Case):
    """Becomes active after a while."""

    wait = timedelta(days=20)

    def begin(self) -> None:
        self.create(availability=Availability(activation_time=NOW + self.wait))

    def go_on(self) -> None:
        assert self.work()
        assert self.service.messages_to(self.email(1)) == []
        assert self.open().status_code == 403
        self.let_pass(self.wait)
        assert self.work()
        assert len(self.service.messages_to(self.email(1))) == 1
        self.reject()
        self.fails("REJECTED")


class LoggedIn(Case):
    """The signer has logged in and reads."""

    def begin(self) -> None:
        self.create()
        self.kept["session"] = self.open().client.cookies[settings.SESSION_COOKIE_NAME].value

    def go_on(self) -> None:
        self.sign(browser=self.browser())
        self.completes()

    def browser(self) -> Browser:
        browser = Browser()
        browser.cookies = SimpleCookie({settings.SESSION_COOKIE_NAME: self.kept["session"]})
        return browser


class CodeEntered(LoggedIn):
    """The signer has entered the code and is about to log in."""

    def begin(self) -> None:
        self.create(self.contact(1))
        self.work()
        self.kept["session"] = self.enter(self.link(1)).client.cookies[settings.SESSION_COOKIE_NAME].value

    def go_on(self) -> None:
        browser = self.browser()
        assert browser.get(self.page()).status_code == 200
        browser.log_in(*PEOPLE[1], then=self.page())
        self.sign(browser=browser)
        self.completes()


class WrongCodes(Case):
    """Two wrong codes were entered: three tries are left."""

    tries = 2

    def begin(self) -> None:
        self.create(self.contact(1), self.person(2))
        self.work()
        self.kept["link"] = self.link(1)
        for _ in range(self.tries):
            self.enter_wrong_code()

    def go_on(self) -> None:
        assert [self.enter_wrong_code() for _ in range(2)] == [422, 422]
        assert self.poll() is None
        assert self.enter_wrong_code() == 403
        self.fails("BLOCKED", "NOT_APPLICABLE")

    def enter_wrong_code(self) -> int:
        """The status of the page that comes of it."""
        wrong = f"{(int(self.kept['link']['code']) + 1) % 10**6:06}"
        return int(self.enter({**self.kept["link"], "code": wrong}).status_code)


class Blocked(WrongCodes):
    """Blocked after five wrong codes; the sender does not know yet."""

    tries = 5

    def go_on(self) -> None:
        assert self.enter(self.kept["link"]).status_code == 403
        self.fails("BLOCKED", "NOT_APPLICABLE")


class LookupDue(Case):
    """The contact register was not asked yet."""

    def begin(self) -> None:
        self.create(self.looked_up(1))

    def go_on(self) -> None:
        self.register()
        assert self.work()
        assert len(self.service.messages_to(self.email(1))) == 1
        self.reject()
        self.fails("REJECTED")

    def register(self, email: str = "") -> None:
        """Let the register know Kari by this address, or by her own."""
        self.service.register[KARI] = ContactDetails(is_reserved=False, email=email or self.email(1))


class LookupFailed(LookupDue):
    """The contact register was away when it was asked."""

    def begin(self) -> None:
        self.service.register.clear()
        super().begin()
        self.work()

    def go_on(self) -> None:
        self.let_pass(due.FIRST_BACKOFF)
        super().go_on()


class LookedUpAgain(LookupDue):
    """Found in the contact register, and looked up again when it is the signer's turn."""

    def begin(self) -> None:
        self.register("old@example.com")
        self.create(self.looked_up(1, order=2), self.person(2, order=1))
        self.work()

    def go_on(self) -> None:
        self.register()
        self.sign(2)
        assert self.work()
        assert len(self.service.messages_to(self.email(1))) == 1
        assert self.service.messages_to("old@example.com") == []
        self.reject()
        self.fails("REJECTED", "SIGNED")


class LookedUp(LookupDue):
    """Found in the contact register, which is away when the signer's turn comes: what it said before counts."""

    def begin(self) -> None:
        self.register()
        self.create(self.looked_up(1, order=2), self.person(2, order=1))
        self.work()

    def go_on(self) -> None:
        self.service.register.clear()
        self.sign(2)
        assert self.work()
        assert len(self.service.messages_to(self.email(1))) == 1
        self.reject()
        self.fails("REJECTED", "SIGNED")


class Reserved(LookupDue):
    """The contact register said that the signer wants nothing digital."""

    def begin(self) -> None:
        self.service.register[KARI] = ContactDetails(is_reserved=True)
        self.create(self.looked_up(1), self.person(2))
        self.work()

    def go_on(self) -> None:
        assert self.open(2).status_code == 410
        self.fails("RESERVED", "NOT_APPLICABLE")


class ContactInformationMissing(Case):
    """The contact register knew no address."""

    def begin(self) -> None:
        self.service.register[KARI] = ContactDetails(is_reserved=False)
        self.create(self.looked_up(1))
        self.work()

    def go_on(self) -> None:
        self.fails("CONTACT_INFORMATION_MISSING")


class SecondGroupWaits(Case):
    """Three sign a text one after the other; the first was notified."""

    documents: ClassVar[dict[str, bytes]] = {"avtale.txt": "Vi er enige om båtplassen.\n".encode()}

    def begin(self) -> None:
        self.create(self.person(1, order=1), self.contact(2, order=2), self.person(3, order=3))
        self.work()

    def go_on(self) -> None:
        assert self.open(2).status_code == 403
        self.sign(1)
        self.confirm(self.expect("IN_PROGRESS", "SIGNED", "WAITING", "WAITING"))
        assert self.work()
        assert self.open(3).status_code == 403
        self.sign(2, link=self.link(2))
        self.sign(3)
        self.completes()


class FirstGroupSigned(Case):
    """The first of two has signed, which the sender knows; the second was notified."""

    def begin(self) -> None:
        self.create(self.person(1, order=1), self.contact(2, order=2))
        self.sign(1)
        self.confirm(self.expect("IN_PROGRESS", "SIGNED", "WAITING"))
        self.work()
        self.kept["link"] = self.link(2)

    def go_on(self) -> None:
        assert self.poll() is None
        assert self.open(1).redirect_chain[-1][0] == f"{self.page(1)}/receipt"
        self.sign(2, link=self.kept["link"])
        self.completes()


class FirstOfTwoSigned(Case):
    """One of two who sign in any order has signed two documents; the sender does not know yet."""

    documents: ClassVar[dict[str, bytes]] = {**CONTRACT, "vedlegg.txt": b"Ett vedlegg.\n"}

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.sign(1)

    def go_on(self) -> None:
        self.confirm(self.expect("IN_PROGRESS", "SIGNED", "WAITING"))
        self.sign(2)
        self.completes()


class SigningDue(Case):
    """Agreed to; the process that was to sign ended."""

    def begin(self) -> None:
        self.create()
        self.agree()

    def go_on(self) -> None:
        assert self.open().redirect_chain[-1][0] == f"{self.page()}/receipt"
        assert self.poll() is None
        assert self.work()
        self.completes()


class SigningFailed(Case):
    """Agreed to; the first try to sign failed."""

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.agree()
        with self.service.without_keys():
            self.work()

    def go_on(self) -> None:
        self.let_pass(due.FIRST_BACKOFF)
        assert self.work()
        self.confirm(self.expect("IN_PROGRESS", "SIGNED", "WAITING"))
        self.reject(2)
        self.fails("SIGNED", "REJECTED")


class SealingDue(Case):
    """Signed by all, not sealed yet: once with the service's seal, once with a certificate of the signer's own."""

    def begin(self) -> None:
        self.create(self.person(1), self.person(2, signature_type=SignatureType.ADVANCED_SIGNATURE))
        self.sign(2)
        self.agree()
        self.work(Signing)

    def go_on(self) -> None:
        self.confirm(self.expect("IN_PROGRESS", "SIGNED", "SIGNED"))
        assert self.work()
        types = [SignatureType.AUTHENTICATED_SIGNATURE, SignatureType.ADVANCED_SIGNATURE]
        assert [each.signature_type for each in self.completes()] == types


class Completed(Case):
    """Completed; the sender does not know yet."""

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.sign(1)
        self.sign(2)

    def go_on(self) -> None:
        change = self.expect("COMPLETED_SUCCESSFULLY", "SIGNED", "SIGNED")
        self.let_pass(A_DAY)
        self.completes()
        assert self.call("DELETE", change.delete_documents_url or "").status_code == 204
        assert self.call("GET", change.pades_url or "").status_code == 404


class Confirmed(Case):
    """Completed and confirmed; the sender has not fetched the results yet."""

    def begin(self) -> None:
        self.create()
        self.sign()
        change = self.expect("COMPLETED_SUCCESSFULLY", "SIGNED")
        self.confirm(change)
        self.kept |= {"pades": change.pades_url, "xades": change.signatures[0].xades_url}

    def go_on(self) -> None:
        assert self.poll() is None
        self.verify(self.kept["pades"], self.kept["xades"])
        receipt = self.open()
        assert "Kari Nordmann (deg)" in receipt.content.decode()
        assert receipt.client.get(f"{self.page()}/signed.pdf").getvalue() == self.download(self.kept["pades"])


class Rejected(Case):
    """Rejected by one of two; the sender does not know yet."""

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.reject()

    def go_on(self) -> None:
        assert self.open().redirect_chain[-1][0] == f"{self.page()}/receipt"
        assert self.open(2).status_code == 410
        self.fails("REJECTED", "NOT_APPLICABLE")


class ChangeTaken(Case):
    """Signed by one, then rejected by the other; the sender has polled after each, and confirmed neither change yet."""

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.sign(1)
        self.expect("IN_PROGRESS", "SIGNED", "WAITING")
        self.reject(2)
        self.kept["confirmation"] = self.expect("FAILED", "SIGNED", "REJECTED").confirmation_url

    def go_on(self) -> None:
        self.let_pass(timedelta(minutes=10))
        change = self.expect("FAILED", "SIGNED", "REJECTED")
        assert change.confirmation_url == self.kept["confirmation"]
        self.confirm(change)


class Cancelled(Case):
    """Cancelled after one of two had signed."""

    def begin(self) -> None:
        self.create(self.person(1), self.person(2))
        self.sign(1)
        assert self.call("POST", self.kept["cancellation"]).status_code == 204

    def go_on(self) -> None:
        assert self.call("POST", self.kept["cancellation"]).status_code == 204
        assert self.open(2).status_code == 410
        change = self.expect("FAILED", "SIGNED", "CANCELLED")
        assert self.download(change.signatures[0].xades_url)
        self.confirm(change)


class CancelledWhileSigning(Case):
    """Cancelled after the signer had agreed, before the signature was made."""

    def begin(self) -> None:
        self.create()
        self.agree()
        assert self.call("POST", self.kept["cancellation"]).status_code == 204

    def go_on(self) -> None:
        assert self.work()
        self.fails("CANCELLED")


class Retried(Case):
    """The sender did not get the answer to the creation and is about to try again."""

    key = "retried"

    def begin(self) -> None:
        self.create(key=self.key)

    def go_on(self) -> None:
        body = bytes.fromhex(self.kept["body"])
        assert PortalJobResponse.from_xml(self.send(body, key=self.key).content).signature_job_id == self.job
        assert self.send(body + b"\r\n", key=self.key).status_code == 422
        self.reject()
        self.fails("REJECTED")


class OfABroker(Case):
    """Sent by a broker."""

    def begin(self) -> None:
        self.create(by=BROKER)

    def go_on(self) -> None:
        self.sign()
        self.completes(by=BROKER)


class OfABlockedSender(Case):
    """Sent by an organization that was blocked afterwards: the signers go on, and it learns of that once let in."""

    sender = PRIVATE

    def begin(self) -> None:
        self.create(
            self.person(1),
            self.contact(2),
            identifier_in_signed_documents=IdentifierInSignedDocuments.DATE_OF_BIRTH_AND_NAME,
        )
        Organization.objects.filter(pk=PRIVATE).update(blocked_at=NOW)

    def go_on(self) -> None:
        assert self.work()
        self.sign(1)
        self.sign(2, link=self.link(2))
        assert self.call("GET", self.jobs).status_code == 403
        Organization.objects.filter(pk=PRIVATE).update(blocked_at=None)
        evidence = self.completes()
        assert [each.signer_identity for each in evidence] == ["13.09.1972", "17.05.1940"]
        assert [each.signature_type for each in evidence] == [SignatureType.ADVANCED_SIGNATURE] * 2
