"""Stand-ins for external services in a sandbox: eID, mail, SMS, and the contact register with its token server."""
