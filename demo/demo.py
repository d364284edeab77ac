"""`make demo`: the main job, end to end; what it does is in walkthrough.py."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the imports take a second; until then Ctrl-C just ends

    from walkthrough import main

    sys.exit(main())
