"""The portal flow: its resources and messages."""
