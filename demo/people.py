"""The people of `make demo AUTO=1`, who sign through the pages, one after the other, knowing only the outbox.

python people.py OUTBOX ADDRESS NUMBER NAME [ADDRESS NUMBER NAME ...]
"""

import sys

import httpx

from segl.sandbox.testing.people import Lost, Person, mail_to, sign


def main(outbox: str, *people: str) -> int:
    try:
        for who in zip(people[::3], people[1::3], people[2::3], strict=True):
            person = Person(*who)
            print(f"    {person.name}: {sign(person, mail_to(person, outbox))}", flush=True)
    except (Lost, httpx.HTTPError) as error:
        print(f"people: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
