"""The app's name among others: its last part alone would be `django`."""

from django.apps import AppConfig


class SeglConfig(AppConfig):
    name = "segl.django"
    label = "segl_polling"
    verbose_name = "Segl"
