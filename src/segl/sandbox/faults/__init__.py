"""Faults in a sandbox at the request of tests."""
