"""The portal flow: jobs whose signers the service notifies, and the status changes that it reports."""
