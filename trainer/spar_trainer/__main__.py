"""`python -m spar_trainer` is `spar-trainer`."""

import sys

from .cli import main

sys.exit(main())
