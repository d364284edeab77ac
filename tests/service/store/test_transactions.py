"""Write transactions, and the tables they write to."""

import threading
import time
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from builders import in_threads, organization
from segl.service.store.models import Organization
from segl.service.store.transactions import write


def test_the_migrations_match_the_models() -> None:
    output = StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=output)
    assert output.getvalue() == "No changes detected\n"


@pytest.mark.usefixtures("database")
class TestWrite:
    def test_a_failed_write_is_undone_completely(self) -> None:
        with pytest.raises(ZeroDivisionError), write():
            organization()
            raise ZeroDivisionError
        assert not Organization.objects.exists()

    def test_a_write_within_a_write_is_one_transaction(self) -> None:
        with pytest.raises(ZeroDivisionError), write():
            with write():
                organization()
            raise ZeroDivisionError
        assert not Organization.objects.exists()

    def test_after_a_failure_others_can_write(self) -> None:
        with pytest.raises(IntegrityError), write():
            Organization.objects.create(number="123456789")
            Organization.objects.create(number="123456789")
        assert in_threads(organization)[0].number == "123456789"

    def test_read_then_write_of_many_threads_never_fails_for_a_lock(self) -> None:
        """SQLite refuses to turn a read transaction into a write transaction if another has written since."""
        organization(name="0")

        def count_up() -> None:
            for _ in range(10):
                with write():
                    row = Organization.objects.select_for_update().get()
                    row.name = str(int(row.name) + 1)
                    row.save()

        assert in_threads(*[count_up] * 4) == [None] * 4
        assert Organization.objects.get().name == "40"

    def test_readers_do_not_wait_for_a_writer(self) -> None:
        organization()
        writing, read = threading.Event(), threading.Event()

        def writer() -> bool:
            with write():
                Organization.objects.update(name="new")
                writing.set()
                return read.wait(5)

        def reader() -> str:
            writing.wait(5)
            name = Organization.objects.get().name
            read.set()
            return name

        assert in_threads(writer, reader) == [True, "Nordvik kommune"]

    def test_writers_take_turns_without_starving(self) -> None:
        if connection.vendor != "sqlite":
            return

        def slow_writes() -> float:
            longest = 0.0
            for _ in range(10):
                begin = time.monotonic()
                with write():
                    longest = max(longest, time.monotonic() - begin)
                    time.sleep(0.002)
            return longest

        assert max(in_threads(*[slow_writes] * 4)) < 1
