"""``python -m sasrec``."""

import os
import sys

if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
    del sys.path[0]  # put there by -m, so that modules beside somebody's data would be imported

from sasrec.cli.app import main

main()
