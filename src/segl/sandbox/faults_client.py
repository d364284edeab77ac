"""Where programs import `FaultsClient` from."""

from segl.sandbox.testing.faults_client import FaultsClient

__all__ = ["FaultsClient"]
