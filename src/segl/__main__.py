"""`python -m segl` is the command `segl`."""

from segl.commands.main import main

if __name__ == "__main__":
    main()
