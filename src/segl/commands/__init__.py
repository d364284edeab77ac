"""The command `segl`: a file for each kind of command, assembled in `main`."""
