"""A Django project as teams have it: its database from DATABASE_URL, a second one where REPORTS_URL names it."""

import os
from urllib.parse import unquote, urlsplit


def _database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port,
        "OPTIONS": {"server_side_binding": True} if os.environ.get("SERVER_SIDE") else {},
    }


SECRET_KEY = "only for tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
DATABASES = {"default": _database(os.environ["DATABASE_URL"])}
if "REPORTS_URL" in os.environ:
    DATABASES["reports"] = _database(os.environ["REPORTS_URL"]) | {"TEST": {"NAME": "test_reports"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
