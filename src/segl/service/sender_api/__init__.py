"""The Signature API v1 over mutual TLS: it translates between the wire and the use cases, and decides nothing."""
