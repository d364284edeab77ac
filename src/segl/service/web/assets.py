"""The pages' few static files, kept in memory. Their addresses change with the content, so browsers may cache them."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    content_type: str

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]


@cache
def _assets() -> dict[str, _Asset]:
    return {path.name: _Asset(path.read_bytes(), _TYPES[path.suffix]) for path in sorted(_FOLDER.iterdir())}


def url(name: str) -> str:
    """Return the address of a static file."""
    return f"{reverse('static', args=[name])}?v={_assets()[name].version}"


@require_safe
def static(request: HttpRequest, name: str) -> HttpResponse:
    """Return a static file, which browsers may cache forever if requested by its current version."""
    asset = _assets().get(name)
    if asset is None:
        raise Http404(f"There is no static file {name}.")
    current = request.GET.get("v") == asset.version
    caching = "public, max-age=31536000, immutable" if current else "no-cache"
    return HttpResponse(asset.content, content_type=asset.content_type, headers={"Cache-Control": caching})
