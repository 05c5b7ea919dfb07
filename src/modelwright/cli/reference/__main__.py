"""Write a page of the reference: ``python -m modelwright.cli.reference errors > docs/reference/errors.md``.

Without a name it is the page of the command line. A test holds that all of them are up to date.
"""

from __future__ import annotations

import sys

from modelwright.cli.reference.pages import PAGES

name = sys.argv[1] if len(sys.argv) > 1 else "cli"
if name not in PAGES:
    sys.exit(f"There is no page '{name}'; there are: {', '.join(PAGES)}.")
sys.stdout.write(PAGES[name]())
