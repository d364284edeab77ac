"""The portal flow: jobs whose signers the service notifies, and the changes that it reports."""
