"""`make demo`: a PDF through signing, end to end; walkthrough.py does the work."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the imports take a second; until then Ctrl-C just ends it

    from walkthrough import main

    sys.exit(main())
