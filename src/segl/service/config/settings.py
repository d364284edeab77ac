"""Django's settings, derived from the configuration file that the environment variable SEGL_CONFIG names."""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from segl.service import configuration
from segl.service.config import loading, logs

SEGL = loading.load(Path(os.environ.get("SEGL_CONFIG", "segl.toml")), os.environ)
configuration.use(SEGL)


# For what the URL does not say (libpq's names and units). A host that dies without a word is noticed after some ten
# seconds; with the defaults of TCP it would take a quarter of an hour.
_CONNECTION = {
    "connect_timeout": 10,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


def database_settings(url: str) -> dict[str, Any]:
    """Return Django's settings for the database at a URL that `loading` has checked."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": SEGL.folder / unquote(parts.path[1:]),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
            "CONN_MAX_AGE": None,
        }
    from psycopg.conninfo import conninfo_to_dict  # not needed with SQLite

    given = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": given.pop("dbname", ""),
        "OPTIONS": {**_CONNECTION, **given},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def _derived_key(purpose: str) -> str:
    """Derive a key for one purpose from the master key, so that there is only one secret to keep."""
    return hmac.new(SEGL.master_key, purpose.encode(), hashlib.sha256).hexdigest()


def _host(url: str) -> str:
    """Return the host of a URL as in the Host header: an IPv6 address in brackets."""
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host


SECRET_KEY = _derived_key("django")
DEBUG = False
ALLOWED_HOSTS = [_host(SEGL.web_root), _host(SEGL.api_root), "localhost"]
DATABASES = {"default": database_settings(SEGL.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.sessions",
    "segl.service.store",
    "segl.service.web",
    "segl.service.signer_portal",
    *(["segl.sandbox.stand_ins"] if SEGL.sandbox else []),
]
MIDDLEWARE = [
    "segl.service.config.listeners.ListenerMiddleware",
    "segl.service.web.middleware.SecurityHeadersMiddleware",
    "segl.service.web.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
# The sandbox adds what is for tests: the test eID, the outbox, and signing without a browser.
ROOT_URLCONF = "segl.sandbox.urls" if SEGL.sandbox else "segl.service.config.web_urls"
SEGL_API_URLCONF = "segl.sandbox.api_urls" if SEGL.sandbox else "segl.service.sender_api.urls"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "segl.service.signer_portal.access.who_can_log_out",
            ]
        },
    }
]

USE_TZ = True
TIME_ZONE = "Europe/Oslo"
USE_I18N = True
LANGUAGE_CODE = "nb"
LANGUAGES = [("nb", "Norsk bokmål"), ("en", "English")]

SESSION_COOKIE_NAME = "segl_session"
SESSION_COOKIE_AGE = 30 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SEGL.web_root.startswith("https:")
CSRF_COOKIE_NAME = "segl_csrf"
CSRF_TRUSTED_ORIGINS = [SEGL.web_root]
LANGUAGE_COOKIE_NAME = "segl_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024

EMAIL_BACKEND = SEGL.mail.backend
EMAIL_HOST = SEGL.mail.host
EMAIL_PORT = SEGL.mail.port
EMAIL_HOST_USER = SEGL.mail.user
EMAIL_HOST_PASSWORD = SEGL.mail.password
EMAIL_USE_TLS = SEGL.mail.encryption == "starttls"
EMAIL_USE_SSL = SEGL.mail.encryption == "tls"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SEGL.mail.sender

LOGGING = logs.logging_settings(SEGL.log_format)
