"""The views of the signers' pages. Each translates between a browser and one or two use cases."""
