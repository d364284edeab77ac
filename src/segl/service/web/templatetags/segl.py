"""Tags and filters of the pages: words for times, addresses of static files, the languages."""

from django import template
from django.conf import settings
from django.utils.translation import get_language

from segl.service import configuration
from segl.service.web import assets, words

register = template.Library()
register.filter("moment", words.moment)
register.filter("distance", words.distance)
register.simple_tag(assets.url, name="asset")


@register.simple_tag
def other_languages() -> list[tuple[str, str]]:
    """Return code and name of the languages other than the current one."""
    return [(code, name) for code, name in settings.LANGUAGES if code != get_language()]


@register.simple_tag
def is_sandbox() -> bool:
    """Whether this is a sandbox, where nothing has legal effect."""
    return bool(configuration.current().sandbox)
