"""Log-in with an eID: the provider is asked for a level and returns an `Identity`, which the session then keeps."""
