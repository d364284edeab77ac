"""The fixture `database`: both kinds, migrated, fresh, and shared by the threads of the process."""

import threading

from django.db import connection, connections


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_session")
        return int(cursor.fetchone()[0])


def insert_session(key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_session VALUES (%s, '', '2026-11-24')", [key])


def test_a_database_is_migrated_and_empty(database: str) -> None:
    assert database.startswith(connection.vendor)
    assert sessions() == 0
    insert_session("first")
    assert sessions() == 1


def test_the_next_database_is_empty_again(database: str) -> None:
    assert sessions() == 0


def test_another_thread_sees_the_same_database(database: str) -> None:
    def insert() -> None:
        insert_session("thread")
        connections.close_all()

    thread = threading.Thread(target=insert)
    thread.start()
    thread.join()
    assert sessions() == 1
