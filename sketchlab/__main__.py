"""Run the command line with ``python -m sketchlab``."""

from sketchlab.cli import main

raise SystemExit(main())
