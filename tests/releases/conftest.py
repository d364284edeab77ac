"""Sets Django up before the service's modules are imported."""

import pytest

import django_environment  # noqa: F401

pytest.register_assert_rewrite("releases.case", "releases.cases")
