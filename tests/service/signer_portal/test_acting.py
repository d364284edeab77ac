"""Reading, signing, rejecting, and what comes after."""

import html
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from io import BytesIO

import pytest
from PIL import Image

from browsers import Browser, address, heading, text
from builders import KARI, OLA, contact, create, person, sent_link, status_of
from pdfs import pdf
from segl.core.errors import InvalidDocument
from segl.core.protocol import IdentifierInSignedDocuments, OnBehalfOf
from segl.service import clock, configuration, rendering
from segl.service.jobs.finding import document_of
from segl.service.jobs.links import NewLink, new_link
from segl.service.rendering import children
from segl.service.sealing import Sealer
from segl.service.store import documents
from segl.service.store.models import Document, DocumentKind, Job, Signing

KARI_SIGNS, OLA_SIGNS = 1, 2
CONTRACT = pdf("Leie av plass 14")
NB = "Når du trykker «Signer», bekrefter du at du har lest dokumentet, og signerer det like bindende som på papir."
EN = (
    "By pressing “Sign”, you confirm that you have read the document, "
    "and sign it with the same binding effect as on paper."
)


@pytest.fixture
def job(store: str, sealer: Sealer) -> Job:
    """Asks Kari by identity number and Ola by e-mail."""
    return create(person(KARI), contact(), contents=[CONTRACT], description="Gjelder sesongen 2027.")


@pytest.fixture
def kari(job: Job, new_browser: Callable[[], Browser]) -> Browser:
    """Kari, logged in."""
    browser = new_browser()
    browser.log_in(KARI, "Kari Nordmann")
    return browser


@pytest.fixture
def ola(job: Job, new_browser: Callable[[], Browser]) -> Browser:
    """Ola, who has entered the code."""
    browser = new_browser()
    browser.enter(sent_link(job.signers.get(number=OLA_SIGNS)))
    return browser


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noon on a day after which no clock is changed for a month."""
    monkeypatch.setattr(clock, "wall", lambda: datetime(2026, 11, 24, 11, tzinfo=UTC))


@pytest.mark.usefixtures("noon")
def test_the_page_says_who_asks_what_until_when_and_shows_the_text(kari: Browser, job: Job) -> None:
    page = text(kari.get(address(job)))
    assert "Nordvik kommune ber deg om å signere" in page
    assert "Gjelder sesongen 2027." in page
    assert "torsdag 24. desember kl. 12.00 (om 30 dager)" in page
    assert "Leie av plass 14" in page
    assert "Side 1 av 1" in page
    assert NB in page
    assert f"<strong><bdi>Kari Nordmann</bdi>, {KARI}</strong>" in page
    assert "mangler tegn" not in page


def test_a_name_from_the_right_does_not_turn_what_follows_it(browser: Browser, job: Job) -> None:
    browser.log_in(KARI, "محمد الأحمد")
    named = f"<bdi>محمد الأحمد</bdi>, {KARI}<"
    assert named in text(browser.get(address(job)))
    browser.press_sign(job)
    assert named in text(browser.get(f"{address(job)}/receipt"))


def test_the_page_says_how_a_name_is_printed_that_no_font_has(browser: Browser, job: Job) -> None:
    browser.log_in(KARI, "Kari 😀 Nordmann")
    page = text(browser.get(address(job)))
    assert "mangler tegn i navnet ditt, så der står det «Kari ? Nordmann»" in page
    browser.press_sign(job)
    assert Signing.objects.get().agreement["name"] == "Kari 😀 Nordmann"


def picture(job: Job, page: int = 1, width: int = 480, number: int = KARI_SIGNS) -> str:
    return f"{address(job, number)}/documents/1/pages/{page}/picture?w={width}"


def form(browser: Browser, job: Job) -> dict[str, str]:
    """What the form to sign has in it."""
    return dict(re.findall(r'type="hidden" name="(log_in|language)" value="([^"]*)"', text(browser.get(address(job)))))


def test_a_page_is_shown_as_a_picture_as_wide_as_asked_for(kari: Browser, job: Job) -> None:
    answer = kari.get(picture(job))
    assert answer.headers["Content-Type"] == "image/webp"
    assert Image.open(BytesIO(answer.content)).size[0] == 480


def test_each_sheet_says_so_until_its_picture_has_come(kari: Browser, job: Job) -> None:
    assert text(kari.get(address(job))).count("Bildet av denne siden har ikke kommet.") == 1


def test_pictures_are_kept_by_the_signers_browser_for_a_session_and_over_a_log_in(ola: Browser, job: Job) -> None:
    page = text(ola.get(address(job, OLA_SIGNS)))
    [shown] = re.findall(r'<img src="([^"]*picture[^"]*)"', page)
    answer = ola.get(html.unescape(shown))
    assert answer.headers["Cache-Control"] == "private, max-age=1800, immutable"
    assert "Cookie" not in answer.headers["Vary"]
    page = text(ola.log_in(OLA, "Ola Hansen", then=address(job, OLA_SIGNS)))
    assert shown in page

    again = ola.get(html.unescape(shown), headers={"if-none-match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]
    assert ola.get(html.unescape(shown), headers={"if-none-match": '"other"'}).status_code == 200


def test_a_picture_with_another_documents_version_is_not_kept(kari: Browser, job: Job) -> None:
    assert kari.get(f"{picture(job)}&v=0123456789abcdef").headers["Cache-Control"] == "no-store"


def test_who_logs_out_leaves_no_pictures_in_the_browser(kari: Browser, job: Job) -> None:
    assert kari.post("/log-out").headers["Clear-Site-Data"] == '"cache"'
    assert kari.get(picture(job)).status_code == 302


def test_the_page_keeps_the_room_that_its_pictures_need(browser: Browser, sealer: Sealer) -> None:
    wide = create(person(KARI), contents=[pdf("Kart", size=(842, 595))])
    browser.log_in()
    assert 'width="1440" height="1018"' in text(browser.get(address(wide)))


def test_a_long_page_is_offered_as_wide_as_its_pictures_are(browser: Browser, sealer: Sealer) -> None:
    long = create(person(KARI), contents=[pdf("Kvittering", size=(226, 3000))])
    browser.log_in()
    page = text(browser.get(address(long)))
    assert 'width="1097" height="14562"' in page
    assert re.findall(r"w=(\d+)&amp;v=\w+ (\d+)w", page) == [("480", "480"), ("960", "960"), ("1440", "1097")]
    assert Image.open(BytesIO(browser.get(picture(long, width=1440)).content)).size == (1097, 14562)


def test_only_a_page_that_is_coarse_is_offered_larger(browser: Browser, sealer: Sealer) -> None:
    contents = [pdf("Plan", size=(2384, 1684)), pdf("Brev"), pdf("Bong", size=(226, 3000))]
    plan = create(person(KARI), contents=contents, titles=["Plan", "Brev", "Bong"])
    browser.log_in()
    larger = re.findall(r'<a href="([^"]*picture[^"]*)"', text(browser.get(address(plan))))
    assert [each.split("&")[0] for each in larger] == [picture(plan, width=4320)]
    assert Image.open(BytesIO(browser.get(html.unescape(larger[0])).content)).size[0] == 4320


def test_signing_asks_once_more_when_pages_have_not_been_fetched(browser: Browser, sealer: Sealer) -> None:
    both = create(person(KARI), contents=[pdf(*"abcdef"), pdf("Vedlegg")], titles=["Avtale", "Vedlegg"])
    browser.log_in()
    for page in (1, 2, 5, 5):
        browser.get(picture(both, page))
    browser.head(picture(both, 6))
    shown = form(browser, both)
    asked = browser.post(f"{address(both)}/sign", shown)
    assert heading(asked) == "Vil du signere uten å ha sett alle sidene?"
    assert "<strong><bdi>Avtale</bdi></strong>: side 3–4, 6" in text(asked)
    assert "<strong><bdi>Vedlegg</bdi></strong>: side 1" in text(asked)
    assert f'href="{address(both)}#page-1-3"' in text(asked)
    assert '<figure class="sheet" id="page-1-3">' in text(browser.get(address(both)))
    assert not Signing.objects.exists()

    browser.get(picture(both, 4))
    signed = browser.post(f"{address(both)}/sign", {**shown, "without_pictures": "yes"})
    assert signed.headers["Location"] == f"{address(both)}/receipt"
    xades = document_of(job=both, kind=DocumentKind.XADES, number=KARI_SIGNS)
    assert xades is not None
    assert b"<shown-pages>1:1-2,4-5</shown-pages>" in documents.read(xades)


def test_the_question_is_asked_in_english_too(kari: Browser, job: Job) -> None:
    kari.post("/language", {"language": "en", "next": "/"})
    asked = kari.post(f"{address(job)}/sign", form(kari, job))
    assert heading(asked) == "Do you want to sign without having seen every page?"
    assert "</strong>: page 1" in text(asked)


def test_who_has_fetched_every_page_signs_at_once(kari: Browser, job: Job) -> None:
    kari.get(picture(job))
    assert kari.post(f"{address(job)}/sign", form(kari, job)).headers["Location"] == f"{address(job)}/receipt"
    assert Signing.objects.get(signer__job=job).agreement["shown_pages"] == "1:1"


def test_a_page_that_could_not_be_drawn_is_not_counted_as_shown(
    kari: Browser, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> bytes:
        raise InvalidDocument("too much memory")

    monkeypatch.setattr(rendering, "page_image", fails)
    answer = kari.get(picture(job))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")
    assert "side 1" in text(kari.post(f"{address(job)}/sign", form(kari, job)))


def test_the_original_can_be_kept(kari: Browser, job: Job) -> None:
    answer = kari.get(f"{address(job)}/documents/1/original")
    assert (answer.getvalue(), answer.streaming) == (CONTRACT, True)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="0001_dokument.pdf"'


def test_a_title_makes_a_safe_file_name(browser: Browser, sealer: Sealer) -> None:
    odd = create(person(KARI), contents=[CONTRACT], title='Av/tale\n"x"')
    browser.log_in()
    browser.press_sign(odd)
    answer = browser.get(f"{address(odd)}/signed.pdf")
    assert (
        answer.headers["Content-Disposition"]
        == "attachment; filename*=utf-8''Av-tale-%22x%22%20%E2%80%93%20signert.pdf"
    )


def test_a_job_of_a_release_that_kept_no_laid_out_documents_is_shown(kari: Browser, job: Job) -> None:
    before = kari.get(picture(job)).content
    Document.objects.filter(job=job, kind__in=(DocumentKind.LAID_OUT, DocumentKind.PAGES)).delete()
    assert NB in text(kari.get(address(job)))
    assert kari.get(picture(job)).content == before


def test_both_sign_and_fetch_the_sealed_document(kari: Browser, ola: Browser, job: Job) -> None:
    assert kari.press_sign(job).headers["Location"] == f"{address(job)}/receipt"
    receipt = kari.get(f"{address(job)}/receipt")
    assert heading(receipt) == "Takk, du har signert"
    assert "Nå mangler én signatur til." in text(receipt)
    assert "refresh" not in text(receipt)
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED", "WAITING"])

    page = ola.get(address(job, OLA_SIGNS))
    assert "Logg inn med eID for å signere" in text(page)
    assert NB not in text(page)
    page = ola.log_in(OLA, "Ola Hansen", then=address(job, OLA_SIGNS))
    assert heading(page) == "Avtale om båtplass"
    assert "<strong><bdi>Ola Hansen" in text(page)
    assert OLA not in text(page)  # the sender did not address Ola by number: it is shown nowhere
    ola.press_sign(job, OLA_SIGNS)
    assert status_of(job) == ("COMPLETED_SUCCESSFULLY", ["SIGNED", "SIGNED"])

    for browser, number, name in ((kari, KARI_SIGNS, "Kari Nordmann"), (ola, OLA_SIGNS, "Ola Hansen")):
        receipt = browser.get(f"{address(job, number)}/receipt")
        assert "Last ned signert dokument" in text(receipt)
        assert f"{name} (deg)" in text(receipt)
        pades = document_of(job=job, kind=DocumentKind.PADES)
        assert pades is not None
        answer = browser.get(f"{address(job, number)}/signed.pdf")
        assert answer.getvalue() == documents.read(pades)
        assert (
            "filename*=utf-8''Avtale%20om%20b%C3%A5tplass%20%E2%80%93%20signert.pdf"
            in (answer.headers["Content-Disposition"])
        )
        xades = document_of(job=job, kind=DocumentKind.XADES, number=number)
        assert xades is not None
        assert browser.get(f"{address(job, number)}/xades").getvalue() == documents.read(xades)


@pytest.mark.parametrize(("language", "sentence"), [("nb", NB), ("en", EN)])
def test_what_was_shown_becomes_evidence(kari: Browser, job: Job, language: str, sentence: str) -> None:
    kari.post("/language", {"language": language, "next": "/"})
    assert sentence in text(kari.get(address(job)))
    kari.defaults["HTTP_USER_AGENT"] = "Firefox\x01 140"
    kari.press_sign(job)
    agreement = Signing.objects.get(signer__job=job).agreement
    assert agreement["sentence"] == sentence
    assert agreement["ip_address"] == "127.0.0.1"
    assert agreement["user_agent"] == "Firefox 140"
    assert agreement["name"] == "Kari Nordmann"
    assert agreement["shown_identity"] == KARI


def test_the_sentence_is_that_of_the_page_even_if_the_language_changed_since(kari: Browser, job: Job) -> None:
    page = text(kari.get(address(job)))
    reference = page.split('name="log_in" value="')[1].split('"')[0]
    kari.post("/language", {"language": "en", "next": "/"})
    kari.post(f"{address(job)}/sign", {"log_in": reference, "language": "nb", "without_pictures": "yes"})
    assert Signing.objects.get(signer__job=job).agreement["sentence"] == NB


def test_signing_twice_is_refused_with_a_page(kari: Browser, job: Job) -> None:
    shown = text(kari.get(address(job))).split('name="log_in" value="')[1].split('"')[0]
    kari.press_sign(job)
    again = kari.post(f"{address(job)}/sign", {"log_in": shown, "language": "nb"})
    assert again.status_code == 409
    assert heading(again) == "Du har allerede signert"
    assert f'href="{address(job)}/receipt"' in text(again)
    assert Signing.objects.count() == 1


def test_after_signing_the_page_is_the_receipt(kari: Browser, job: Job) -> None:
    kari.press_sign(job)
    assert kari.get(address(job)).headers["Location"] == f"{address(job)}/receipt"
    again = kari.get(f"{address(job)}/reject")
    assert again.status_code == 409
    assert heading(again) == "Du har allerede signert"


def test_nobody_signs_as_another_than_the_page_showed(ola: Browser, job: Job) -> None:
    ola.log_in(OLA, "Ola Hansen", then=address(job, OLA_SIGNS))
    shown = text(ola.get(address(job, OLA_SIGNS))).split('name="log_in" value="')[1].split('"')[0]
    ola.log_in(KARI, "Kari Nordmann", then=address(job, OLA_SIGNS))
    answer = ola.post(f"{address(job, OLA_SIGNS)}/sign", {"log_in": shown, "language": "nb"})
    assert answer.status_code == 409
    assert "Ingenting er signert." in text(answer)
    assert "<strong><bdi>Kari Nordmann" in text(answer)
    assert Signing.objects.count() == 0


def test_a_link_and_a_code_are_not_enough_to_sign(ola: Browser, job: Job) -> None:
    answer = ola.post(f"{address(job, OLA_SIGNS)}/sign", {"log_in": "", "language": "nb"})
    assert answer.status_code == 409
    assert Signing.objects.count() == 0


def test_too_low_a_level_does_not_sign(ola: Browser, job: Job) -> None:
    page = ola.log_in(OLA, "Ola Hansen", level=3, then=address(job, OLA_SIGNS))
    assert "sikkerhetsnivå 4" in text(page)
    reference = ola.session["identity"]["reference"]
    answer = ola.post(f"{address(job, OLA_SIGNS)}/sign", {"log_in": reference, "language": "nb"})
    assert answer.status_code == 409
    assert Signing.objects.count() == 0


def test_rejecting_is_asked_once_more(kari: Browser, job: Job) -> None:
    page = kari.get(f"{address(job)}/reject")
    assert heading(page) == "Vil du avvise?"
    assert status_of(job) == ("IN_PROGRESS", ["WAITING", "WAITING"])
    assert kari.reject(job).headers["Location"] == f"{address(job)}/receipt"
    assert heading(kari.get(f"{address(job)}/receipt")) == "Du har avvist"
    assert status_of(job) == ("FAILED", ["REJECTED", "NOT_APPLICABLE"])
    assert heading(kari.reject(job)) == "Du har allerede avvist"


def test_link_and_code_are_enough_to_reject(ola: Browser, kari: Browser, job: Job) -> None:
    ola.reject(job, OLA_SIGNS)
    assert status_of(job) == ("FAILED", ["NOT_APPLICABLE", "REJECTED"])
    page = kari.get(address(job))
    assert page.status_code == 410
    assert heading(page) == "Signeringen er stoppet"


def test_the_receipt_says_so_when_another_rejected_afterwards(ola: Browser, kari: Browser, job: Job) -> None:
    kari.press_sign(job)
    ola.reject(job, OLA_SIGNS)
    receipt = text(kari.get(f"{address(job)}/receipt"))
    assert "Signeringen ble stoppet etterpå" in receipt
    assert "refresh" not in receipt


def test_the_receipt_reloads_itself_while_the_signature_is_made(
    kari: Browser, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(documents, "put", fails)
    kari.press_sign(job)
    receipt = kari.get(f"{address(job)}/receipt")
    assert heading(receipt) == "Signaturen din lages"
    assert '<meta http-equiv="refresh"' in text(receipt)


def test_the_receipt_reloads_itself_while_the_seal_is_made(
    kari: Browser, ola: Browser, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sealer, "seal", lambda *_, **__: 1 / 0)
    kari.press_sign(job)
    ola.log_in(OLA, "Ola Hansen", then=address(job, OLA_SIGNS))
    ola.press_sign(job, OLA_SIGNS)
    receipt = text(kari.get(f"{address(job)}/receipt"))
    assert "Det signerte dokumentet lages nå" in receipt
    assert '<meta http-equiv="refresh"' in receipt


def test_the_list_shows_what_was_done(kari: Browser, job: Job) -> None:
    kari.press_sign(job)
    page = text(kari.get("/"))
    assert "Ingen dokumenter venter på deg." in page
    assert "Signert " in page


def test_a_signer_on_behalf_of_someone_else_sees_so(browser: Browser, sealer: Sealer) -> None:
    other = create(person(KARI, on_behalf_of=OnBehalfOf.OTHER), contents=[pdf("A")])
    browser.log_in()
    assert "på vegne av en annen enn deg selv" in text(browser.get(address(other)))


def test_the_identity_in_the_document_is_as_the_sender_chose(browser: Browser, sealer: Sealer) -> None:
    named = create(person(KARI), contents=[pdf("A")], identifier_in_signed_documents=IdentifierInSignedDocuments.NAME)
    browser.log_in()
    page = text(browser.get(address(named)))
    assert "<strong><bdi>Kari Nordmann</bdi></strong>" in page
    assert KARI not in page


def test_a_signer_ends_the_link_for_every_browser(ola: Browser, new_browser: Callable[[], Browser], job: Job) -> None:
    link, another = sent_again(job), new_browser()
    another.enter(link)
    ola.log_in(OLA, "Ola Hansen", then=address(job, OLA_SIGNS))
    ola.press_sign(job, OLA_SIGNS)
    receipt = text(ola.get(f"{address(job, OLA_SIGNS)}/receipt"))
    assert f'href="{address(job, OLA_SIGNS)}/end-link"' in receipt
    assert heading(ola.get(f"{address(job, OLA_SIGNS)}/end-link")) == "Vil du avslutte lenken?"
    assert another.get(f"{address(job, OLA_SIGNS)}/receipt").status_code == 200

    ended = ola.post(f"{address(job, OLA_SIGNS)}/end-link")
    assert "segl_session" not in {name: each for name, each in ola.cookies.items() if each.value}
    for page in (
        ended,
        another.get(f"/s/{link.token}"),
        another.enter(link),
        another.post(f"/s/{link.token}/new-code"),
    ):
        assert (page.status_code, heading(page)) == (410, "Lenken er avsluttet")
        assert "må du be Nordvik kommune om det" in text(page)
        assert "båtplass" not in text(page)
    for below in ("", "/receipt", "/signed.pdf", "/xades"):
        for each in (ola, another):
            assert each.get(f"{address(job, OLA_SIGNS)}{below}").headers["Location"].startswith("/log-in?")
    assert status_of(job) == ("IN_PROGRESS", ["WAITING", "SIGNED"])


def sent_again(job: Job) -> NewLink:
    """One more link of Ola's."""
    return new_link(job.signers.get(number=OLA_SIGNS))


def test_a_signer_who_rejected_ends_the_link_too(ola: Browser, job: Job) -> None:
    ola.reject(job, OLA_SIGNS)
    assert "Avslutt lenken" in text(ola.get(f"{address(job, OLA_SIGNS)}/receipt"))
    assert heading(ola.post(f"{address(job, OLA_SIGNS)}/end-link")) == "Lenken er avsluttet"


def test_a_link_that_is_needed_cannot_be_ended(ola: Browser, job: Job) -> None:
    for act in (ola.get, ola.post):
        assert act(f"{address(job, OLA_SIGNS)}/end-link").headers["Location"] == address(job, OLA_SIGNS)
    assert heading(ola.get(address(job, OLA_SIGNS))) == "Avtale om båtplass"


def test_who_logs_in_has_no_link_to_end(kari: Browser, job: Job) -> None:
    kari.press_sign(job)
    assert "Avslutt lenken" not in text(kari.get(f"{address(job)}/receipt"))
    assert kari.post(f"{address(job)}/end-link").status_code == 404


def test_pages_that_cannot_be_drawn_at_present_can_be_asked_for_again(
    kari: Browser, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LONGEST_WAIT_SECONDS", 0)
    kari.raise_request_exception = False
    with ExitStack() as turns:
        for _ in range(configuration.current().rendering.children):
            turns.enter_context(children.turn())
        page = kari.get(picture(job))
        assert (page.status_code, page["Retry-After"]) == (503, "10")
        assert heading(page) == "Vi kan ikke vise siden nå"
        assert heading(kari.get(address(job))) == "Avtale om båtplass"
