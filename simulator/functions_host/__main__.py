"""`python -m simulator.functions_host`: runs a function app on localhost."""

import sys

from simulator.functions_host.host import main

sys.exit(main())
