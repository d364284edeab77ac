"""The stand-ins as a Django application, which is installed where the configuration says `sandbox = true`."""

from django.apps import AppConfig


class StandInsConfig(AppConfig):
    name = "segl.sandbox.stand_ins"

    def ready(self) -> None:
        """Hand the test eID to this process; a sandbox's processes are `segl sandbox`'s and `segl serve`'s."""
        from segl.sandbox.stand_ins.test_eid import EidForTests
        from segl.service.identity import provider

        provider.configure(EidForTests())
