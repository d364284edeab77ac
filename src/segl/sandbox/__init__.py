"""The embedded service for one's own machine: throw-away PKI, outbox, one command. No legal effect."""
