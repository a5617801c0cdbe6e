"""What several tests share."""

import sys
from pathlib import Path

from hypothesis import settings

# Models in all forms that can be exported, which the tests of the export use too.
sys.path.append(str(Path(__file__).parents[2] / "tests" / "exporting"))
settings.register_profile("thorough", deadline=None)  # no test asserts on time
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("quick")
