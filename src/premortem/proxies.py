"""HTTP connections by the proxy that the environment names, where it names one for the address."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import urllib3


def pool(url: str, timeout: urllib3.Timeout, context: ssl.SSLContext | None = None) -> urllib3.PoolManager:
    """Return what sends requests to an address: itself, or by HTTP_PROXY and HTTPS_PROXY unless NO_PROXY says else.

    A name and a password in the proxy's address go into its header; `context` is for TLS to the address.
    """
    options: dict[str, Any] = {"timeout": timeout}
    if context is not None:
        options["ssl_context"] = context
    parts = urlsplit(url)
    proxy = getproxies_environment().get(parts.scheme)
    if not proxy or proxy_bypass_environment(parts.hostname or ""):
        return urllib3.PoolManager(**options)
    through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if through.username:
        name = f"{unquote(through.username)}:{unquote(through.password or '')}"
        options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=name)
    return urllib3.ProxyManager(f"{through.scheme}://{through.netloc.rpartition('@')[2]}", **options)
