"""Sending: e-mail through Django's mail back end. Text messages and the contact register follow the same shape."""

from segl.service.notifications.mail import send_first_notification

__all__ = ["send_first_notification"]
