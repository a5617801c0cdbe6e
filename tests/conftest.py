"""What several tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

from sasrec.data.catalogue import fetch
from sasrec.errors import DataError

settings.register_profile("thorough", deadline=None)  # no test asserts on time
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def ml100k() -> Path:
    """Folder of MovieLens-100K; tests that need it are left out where it cannot be fetched."""
    try:
        return fetch("ml-100k")
    except DataError as error:
        pytest.skip(f"MovieLens-100K is not here and cannot be fetched: {error}")
