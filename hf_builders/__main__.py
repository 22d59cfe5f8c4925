"""`python -m hf_builders` is the command `hf-builders`."""

import sys

from hf_builders.cli import main

if __name__ == "__main__":
    sys.exit(main())
