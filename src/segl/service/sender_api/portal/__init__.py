"""The portal flow: from its resources and messages to the use cases and back."""
