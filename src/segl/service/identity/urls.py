"""The pages of the test eID: for the URLs of a sandbox, and of nothing else."""

from django.urls import path

from segl.service.identity.test_eid import test_eid

urlpatterns = [path("test-eid", test_eid, name="test-eid")]
