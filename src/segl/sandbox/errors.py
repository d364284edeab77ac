"""The error of a sandbox that cannot start."""

from segl.core.errors import SeglError


class SandboxError(SeglError):
    """The sandbox cannot start; the message says why and what to do."""
