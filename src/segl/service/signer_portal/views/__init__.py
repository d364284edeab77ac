"""The views of the signers' pages; each translates between a browser and one or two use cases."""
