"""`python -m spar_trainer.serve`."""

import sys

from . import main

sys.exit(main(sys.argv[1:]))
