import pytest

from sasrec.kernels import library


@pytest.fixture(params=[library.AVX512, library.AMX], ids=["avx512", "amx"])
def level(request):
    """Run a test at each level that this processor supports."""
    if library.level() < request.param:
        pytest.skip("this processor, or this build, has no such products")
    with library.at_most(request.param):
        yield request.param
