"""The stand-ins as a Django application, installed if the configuration says `sandbox = true`."""

from django.apps import AppConfig


class StandInsConfig(AppConfig):
    name = "segl.sandbox.stand_ins"

    def ready(self) -> None:
        """Make the test eID this process's provider, whether `segl sandbox` or `segl serve` has started it."""
        from segl.sandbox.stand_ins.test_eid import EidForTests
        from segl.service.identity import provider

        provider.configure(EidForTests())
