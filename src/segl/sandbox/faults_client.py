"""The public module of `FaultsClient`."""

from segl.sandbox.testing.faults_client import FaultsClient

__all__ = ["FaultsClient"]
