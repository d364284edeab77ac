"""Settings, URLs, servers and wiring. The only room that may import every other."""
