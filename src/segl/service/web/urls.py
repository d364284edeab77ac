"""The URLs that all pages share: the language switch and the static files."""

from django.urls import path
from django.views.i18n import set_language

from segl.service.web import assets

urlpatterns = [
    path("language", set_language, name="language"),
    path("static/<str:name>", assets.static, name="static"),
]
