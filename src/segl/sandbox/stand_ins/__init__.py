"""What stands in for services of others in a sandbox: eID, mail, SMS, the contact register with its token server."""
