"""For Django programs that send documents: `manage.py segl_poll` hands status changes to a function of the program.

    INSTALLED_APPS = [..., "segl.django"]
    SEGL_CLIENT_CONFIGURATION = "shop.signing.configuration"   # a ClientConfiguration, or a function that makes one
    SEGL_STATUS_CHANGE_HANDLER = "shop.signing.handle"         # is called with each JobStatusChange

The handler runs in a database transaction, and the change is confirmed after the commit: what the handler wrote is
there before the service forgets the change.
"""
