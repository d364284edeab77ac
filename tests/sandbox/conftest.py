"""Sets Django up before the sandbox's modules are imported."""

import django_environment  # noqa: F401  (importing it is what sets Django up)
