"""Template tags of the signers' pages."""
