"""Log-in with an eID: the provider is asked for a level and gives back an `Identity`, which the session then holds."""
