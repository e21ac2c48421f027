"""`python -m sandbox.hcloud`."""

import sys

from sandbox.hcloud.main import main

if __name__ == "__main__":
    sys.exit(main())
