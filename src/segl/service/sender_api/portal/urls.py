"""The URLs of the portal flow, below the sender's."""

from django.urls import path

from segl.service.sender_api.portal import views
from segl.service.sender_api.resources import Resource

urlpatterns = [
    path("", Resource(GET=views.poll, POST=views.create)),
    path("/<int:job_id>/complete", Resource(POST=views.confirm)),
    path("/<int:job_id>/cancel", Resource(POST=views.cancel)),
    path("/<int:job_id>/xades/<int:number>", Resource(GET=views.xades)),
    path("/<int:job_id>/pades", Resource(GET=views.pades)),
    path("/<int:job_id>/documents", Resource(DELETE=views.delete)),
]
