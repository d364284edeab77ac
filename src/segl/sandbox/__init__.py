"""The whole service on a developer's machine: one command, a throw-away PKI and an outbox. No legal effect."""
