"""Settings, URLs, servers and wiring. The only package that may import all others."""
