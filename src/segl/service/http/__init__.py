"""HTTP for any WSGI application: listeners, TLS, proxies, whole bodies, health. Depends on neither Django nor jobs."""
