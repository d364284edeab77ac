"""A browser without JavaScript, and the things signers do with it; needs Django and the fixture `store`."""

import re
from typing import Any

from django.test import Client

from builders import KARI
from segl.service.jobs.links import NewLink
from segl.service.store.models import Job


class Browser(Client):
    """Django's test client, with what people do as one step each."""

    def log_in(self, number: str = KARI, name: str = "Kari Nordmann", level: int = 4, then: str = "/") -> Any:
        """Log in with the test eID; gives the page it leads to."""
        url = self.post("/log-in", {"then": then}).headers["Location"]
        return self.post(url, {"identity_number": number, "name": name, "level": level}, follow=True)

    def enter(self, link: NewLink) -> Any:
        """Open a link and enter its code; gives the page it leads to."""
        return self.post(f"/s/{link.token}", {"code": link.code}, follow=True)

    def press_sign(self, job: Job, number: int = 1) -> Any:
        """Press «Signer» on the signing page as it is now, and «Signer likevel» if it asks for that."""
        page = text(self.get(address(job, number)))
        hidden = dict(re.findall(r'type="hidden" name="(log_in|language)" value="([^"]*)"', page))
        return self.post(f"{address(job, number)}/sign", {**hidden, "without_pictures": "yes"})

    def reject(self, job: Job, number: int = 1) -> Any:
        """Press «Ja, avvis»."""
        return self.post(f"{address(job, number)}/reject")


def address(job: Job, number: int = 1) -> str:
    """The path of a signer's page."""
    return f"/jobs/{job.pk}/signers/{number}"


def text(response: Any) -> str:
    """The source of a page."""
    return str(response.content.decode())


def heading(response: Any) -> str:
    """A page's only h1."""
    (found,) = re.findall(r"<h1[^>]*>(.*?)</h1>", text(response), re.DOTALL)
    return str(found)
