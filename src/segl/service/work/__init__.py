"""What takes time: sign, seal, verify, look up, notify. Each asks `jobs` what to do, does it outside any transaction,
and tells `jobs` the outcome. The worker does it when it falls due; a portal may do it at once."""
