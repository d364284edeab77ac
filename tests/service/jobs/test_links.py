"""Links and security codes: a link alone opens nothing, and guessing ends the job."""

import secrets
from datetime import timedelta

import pytest
from django.test import override_settings

from builders import (
    contact,
    create,
    everything,
    in_threads,
    organization,
    person,
    sent_link,
    signed,
    status_of,
    version_of,
)
from segl.service import clock
from segl.service.jobs import changes
from segl.service.jobs.cancelling import cancel_job
from segl.service.jobs.errors import NoSuchLinkError, NotOpenError, WrongCodeError
from segl.service.jobs.links import NewLink, new_link, signer_of_link
from segl.service.jobs.security_codes import (
    MOST_CODES_PER_HOUR,
    MOST_WRONG_CODES,
    end_links,
    enter_code,
    send_new_code,
)
from segl.service.store.models import Job, Link, Notification, Signer

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def job(store: str) -> Job:
    return create(contact())


@pytest.fixture
def signer(job: Job) -> Signer:
    return Signer.objects.get(job=job)


@pytest.fixture
def link(signer: Signer) -> NewLink:
    return sent_link(signer)


def wrong(link: NewLink) -> str:
    """A code that is not the link's."""
    return f"{(int(link.code) + 1) % 1_000_000:06}"


def guess(link: NewLink, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(WrongCodeError):
            enter_code(token=link.token, code=wrong(link))


def block(link: NewLink) -> None:
    guess(link, MOST_WRONG_CODES - 1)
    with pytest.raises(NotOpenError) as refused:
        enter_code(token=link.token, code=wrong(link))
    assert refused.value.reason == "blocked"


def test_link_and_code_let_the_signer_in(link: NewLink, signer: Signer) -> None:
    assert signer_of_link(token=link.token) == signer
    assert enter_code(token=link.token, code=link.code) == signer
    assert enter_code(token=link.token, code=f" {link.code}\n") == signer


def test_a_code_has_six_digits_and_a_token_cannot_be_guessed(signer: Signer) -> None:
    links = [new_link(signer) for _ in range(50)]
    assert all(len(each.code) == 6 and each.code.isdecimal() for each in links)
    assert all(len(each.token) >= 32 for each in links)
    assert len({each.token for each in links}) == 50


@pytest.mark.parametrize("token", ["", "unknown", "æ", "\0", "x" * 10_000])
def test_a_link_that_was_never_sent_is_unknown(token: str, signer: Signer) -> None:
    for use in (signer_of_link, send_new_code, lambda token: enter_code(token=token, code="123456")):
        with pytest.raises(NoSuchLinkError):
            use(token=token)


@pytest.mark.parametrize("code", ["", "abc", "１２３４５６", "æøå", "1" * 10_000, "\0"])
def test_anything_but_the_code_is_wrong(code: str, link: NewLink) -> None:
    with pytest.raises(WrongCodeError) as refused:
        enter_code(token=link.token, code=code)
    assert refused.value.tries_left == MOST_WRONG_CODES - 1


def test_only_digests_are_kept(link: NewLink) -> None:
    row = Link.objects.get()
    kept = bytes(row.token_digest) + bytes(row.code_digest)
    assert link.token.encode() not in kept
    assert link.code.encode() not in kept
    assert link.token not in str(everything())


def test_the_repr_of_a_link_hides_it(link: NewLink) -> None:
    assert repr(link) == "NewLink(…)"


def test_the_code_of_one_link_does_not_open_another(signer: Signer, link: NewLink) -> None:
    other = new_link(signer)
    while other.code == link.code:
        other = new_link(signer)
    with pytest.raises(WrongCodeError):
        enter_code(token=link.token, code=other.code)


def test_the_error_has_the_tries_left(link: NewLink) -> None:
    for left in range(MOST_WRONG_CODES - 1, 0, -1):
        with pytest.raises(WrongCodeError) as refused:
            enter_code(token=link.token, code=wrong(link))
        assert refused.value.tries_left == left


def test_too_many_wrong_codes_block_the_signer_and_end_the_job(store: str) -> None:
    job = create(contact(), person())
    signed(job, 2)
    version = version_of(job)
    block(sent_link(Signer.objects.get(job=job, number=1)))
    assert status_of(job) == ("FAILED", ["BLOCKED", "SIGNED"])
    assert version_of(job) == version + 1


def test_after_that_not_even_the_right_code_opens(link: NewLink, job: Job) -> None:
    block(link)
    before = everything()
    for code in (link.code, wrong(link)):
        with pytest.raises(NotOpenError) as refused:
            enter_code(token=link.token, code=code)
        assert refused.value.reason == "blocked"
    assert everything() == before


def test_wrong_codes_count_across_links(signer: Signer, link: NewLink, job: Job) -> None:
    guess(link, 2)
    guess(new_link(signer), 2)
    with pytest.raises(NotOpenError):
        enter_code(token=link.token, code=wrong(link))
    assert status_of(job) == ("FAILED", ["BLOCKED"])


def test_the_right_code_resets_the_count(link: NewLink, job: Job) -> None:
    guess(link, MOST_WRONG_CODES - 1)
    enter_code(token=link.token, code=link.code)
    guess(link, MOST_WRONG_CODES - 1)
    assert status_of(job) == ("IN_PROGRESS", ["WAITING"])


def test_guesses_at_the_same_time_all_count(link: NewLink, job: Job) -> None:
    outcomes = in_threads(*[lambda: enter_code(token=link.token, code=wrong(link))] * 8)
    assert sum(isinstance(each, WrongCodeError) for each in outcomes) == MOST_WRONG_CODES - 1
    assert sum(isinstance(each, NotOpenError) for each in outcomes) == 8 - MOST_WRONG_CODES + 1
    assert status_of(job) == ("FAILED", ["BLOCKED"])
    assert version_of(job) == 1


def test_guessing_at_a_signed_document_ends_too_but_what_was_signed_stays(job: Job, link: NewLink) -> None:
    signed(job)
    block(link)
    assert status_of(job) == ("IN_PROGRESS", ["SIGNED"])
    with pytest.raises(NotOpenError):
        enter_code(token=link.token, code=link.code)


def test_a_code_is_kept_as_a_digest_that_differs_from_link_to_link(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "randbelow", lambda _: 7)
    assert [new_link(signer).code, new_link(signer).code] == ["000007", "000007"]
    assert Link.objects.values("code_digest").distinct().count() == 2


def test_a_code_is_checked_with_the_services_secret(link: NewLink) -> None:
    with override_settings(SECRET_KEY="another"), pytest.raises(WrongCodeError):
        enter_code(token=link.token, code=link.code)


def test_one_signers_link_opens_nothing_of_another(store: str) -> None:
    job = create(contact("a@example.com"), contact("b@example.com"))
    first, second = Signer.objects.filter(job=job).order_by("number")
    link = sent_link(second)
    assert enter_code(token=link.token, code=link.code) == second
    block(link)
    assert status_of(job) == ("FAILED", ["NOT_APPLICABLE", "BLOCKED"])
    assert Signer.objects.get(pk=first.pk).wrong_codes == 0


class TestEnd:
    def test_an_ended_link_opens_nothing(self, job: Job, signer: Signer, link: NewLink) -> None:
        other = new_link(signer)
        signed(job)
        end_links(job_id=job.pk, number=1)
        for each in (link, other):
            for code in (each.code, wrong(each)):
                with pytest.raises(NotOpenError) as refused:
                    enter_code(token=each.token, code=code)
                assert refused.value.reason == "link_ended"
        assert status_of(job) == ("IN_PROGRESS", ["SIGNED"])

    def test_ending_it_again_changes_nothing(self, job: Job, link: NewLink) -> None:
        signed(job)
        end_links(job_id=job.pk, number=1)
        before = everything()
        clock.move(timedelta(hours=1))
        before["Clock"] = everything()["Clock"]
        end_links(job_id=job.pk, number=1)
        assert everything() == before

    def test_a_signer_who_can_still_sign_keeps_the_link(self, job: Job, link: NewLink, signer: Signer) -> None:
        with pytest.raises(NotOpenError):
            end_links(job_id=job.pk, number=1)
        assert enter_code(token=link.token, code=link.code) == signer


class TestNewCode:
    def test_a_new_code_comes_with_its_own_link(self, signer: Signer, link: NewLink, woken: list[str]) -> None:
        send_new_code(token=link.token)
        assert woken == ["woken"]
        new = sent_link(signer)
        assert new.token != link.token
        assert enter_code(token=new.token, code=new.code) == signer
        assert enter_code(token=link.token, code=link.code) == signer

    def test_there_is_a_limit_to_codes_within_an_hour(self, link: NewLink) -> None:
        for _ in range(MOST_CODES_PER_HOUR - 1):
            send_new_code(token=link.token)
        with pytest.raises(NotOpenError) as refused:
            send_new_code(token=link.token)
        assert refused.value.reason == "too_many_codes"
        assert Notification.objects.count() == MOST_CODES_PER_HOUR
        clock.move(timedelta(hours=1))
        send_new_code(token=link.token)

    def test_parallel_requests_send_no_more(self, link: NewLink) -> None:
        in_threads(*[lambda: send_new_code(token=link.token)] * 8)
        assert Notification.objects.count() == MOST_CODES_PER_HOUR

    def test_none_is_sent_after_the_signer_is_done(self, job: Job, link: NewLink) -> None:
        signed(job)
        with pytest.raises(NotOpenError) as refused:
            send_new_code(token=link.token)
        assert refused.value.reason == "ended"

    def test_none_is_sent_past_the_deadline(self, link: NewLink) -> None:
        clock.move(timedelta(days=31))
        with pytest.raises(NotOpenError, match="no more codes"):
            send_new_code(token=link.token)

    def test_none_is_sent_to_the_blocked_nor_after_a_cancel(self, job: Job, link: NewLink) -> None:
        block(link)
        with pytest.raises(NotOpenError):
            send_new_code(token=link.token)
        other = create(contact())
        link = sent_link(Signer.objects.get(job=other))
        cancel_job(sender=organization(), job_id=other.pk)
        with pytest.raises(NotOpenError):
            send_new_code(token=link.token)

    def test_none_is_sent_when_the_job_ends_while_the_link_is_looked_up(
        self, link: NewLink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lock = changes.lock

        def cancelled_before(job_id: int) -> Job:
            monkeypatch.setattr(changes, "lock", lock)
            cancel_job(sender=organization(), job_id=job_id)
            return lock(job_id)

        monkeypatch.setattr(changes, "lock", cancelled_before)
        with pytest.raises(NotOpenError, match="no more codes"):
            send_new_code(token=link.token)
