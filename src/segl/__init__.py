"""Segl: an electronic-signing service and its Python SDK."""

__version__ = "0.1.0"
