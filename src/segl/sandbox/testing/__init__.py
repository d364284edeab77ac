"""For tests of programs that send documents: a running sandbox, and the people who sign in it.

The names are those of `running`, loaded on first use: pytest loads this package wherever Segl is installed, for the
fixtures in `pytest_plugin`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segl.sandbox.testing.running import (
        SECONDS_FOR_CHANGE,
        SECONDS_TO_START,
        Organization,
        Sandbox,
        SandboxNotRunningError,
        SandboxSigner,
        SentMessage,
        next_change,
        next_change_async,
        ready,
        running_sandbox,
    )

__all__ = [
    "SECONDS_FOR_CHANGE",
    "SECONDS_TO_START",
    "Organization",
    "Sandbox",
    "SandboxNotRunningError",
    "SandboxSigner",
    "SentMessage",
    "next_change",
    "next_change_async",
    "ready",
    "running_sandbox",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from segl.sandbox.testing import running

    return getattr(running, name)
