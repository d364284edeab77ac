"""What takes time: sign, seal, verify, look up, notify. Each asks `jobs` what to do, does it outside any transaction,
and reports the outcome to `jobs`. The worker does it when it falls due; a portal may do it at once."""
