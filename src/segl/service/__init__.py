"""The signing service: Django applications over the rooms described in the design (extra `segl[service]`)."""
