"""HTTP for any WSGI application: listeners, TLS, proxies, whole bodies, health. It knows neither Django nor jobs."""
