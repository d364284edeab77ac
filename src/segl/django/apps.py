"""The app's label: the default, the last part of its name, would be `django`."""

from django.apps import AppConfig


class SeglConfig(AppConfig):
    name = "segl.django"
    label = "segl_polling"
    verbose_name = "Segl"
