"""``python -m contraction_checker certificate.json``."""

import sys

from contraction_checker.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
