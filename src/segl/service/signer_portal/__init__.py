"""The pages for signers: log in or enter a code, read, sign or reject, download. They need no JavaScript."""
