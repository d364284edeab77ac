"""Times in everyday words. Source language: Norwegian bokmål."""

from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from segl.service import clock


def moment(at: datetime) -> str:
    """«torsdag 3. desember kl. 12.00», in Norwegian time; with the year unless it is the current one."""
    local = localtime(at)
    if local.year == localtime(clock.now()).year:
        return date_format(local, _("l j. F \\k\\l. H.i"))
    return date_format(local, _("l j. F Y \\k\\l. H.i"))


def distance(at: datetime) -> str:
    """«om 9 dager»: how long it is until a time in the future."""
    now = clock.now()
    left = max(at - now, timedelta(minutes=1))
    if left >= timedelta(days=2):
        days = (localtime(at).date() - localtime(now).date()).days
        return ngettext("om %(count)s dag", "om %(count)s dager", days) % {"count": days}
    if left >= timedelta(hours=2):
        hours = left // timedelta(hours=1)
        return ngettext("om %(count)s time", "om %(count)s timer", hours) % {"count": hours}
    minutes = left // timedelta(minutes=1)
    return ngettext("om %(count)s minutt", "om %(count)s minutter", minutes) % {"count": minutes}
