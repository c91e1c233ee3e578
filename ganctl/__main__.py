"""`python -m ganctl`: the same as the `ganctl` command."""

import sys

from ganctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
