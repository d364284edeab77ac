"""The Signature API v1 over mutual TLS. It translates between the wire and the use cases, and decides nothing."""
