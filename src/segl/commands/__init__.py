"""The command `segl`: a file for each kind of command, put together in `main`."""
