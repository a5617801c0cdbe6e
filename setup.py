"""The compiled kernels; all else about the package stands in pyproject.toml."""

import hashlib
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = "src/sasrec/kernels"
LOOPS = ["-fopenmp-simd", "-fno-math-errno"]
"""Let marked loops take several numbers at a time, roots too; no OpenMP library is asked for."""


SOURCES, HEADERS = sorted(glob(f"{HERE}/*.c")), sorted(glob(f"{HERE}/*.h"))


def interface() -> str:
    """Return the number of these sources, which the library tells and ``library.py`` expects."""
    whole = hashlib.sha256()
    for path in (*SOURCES, *HEADERS):
        whole.update(Path(path).read_bytes())
    return f"0x{whole.hexdigest()[:12]}"


class BuildLibrary(build_ext):
    """Builds a library for ctypes, under a name that Python does not take for a module's."""

    def get_ext_filename(self, fullname: str) -> str:
        """Return the path of a module's name, which may come with or without its packages."""
        return fullname.replace(".", "/") + ".so.1"


setup(
    cmdclass={"build_ext": BuildLibrary},
    ext_modules=[
        Extension(
            "sasrec.kernels.libkernels",
            sources=SOURCES,
            depends=HEADERS,
            define_macros=[("SASREC_INTERFACE", f"{interface()}L")],
            extra_compile_args=["-O3", "-std=gnu11", "-fvisibility=hidden", *LOOPS],
            libraries=["m"],
            optional=True,  # where it cannot be built, PyTorch does the work
        )
    ],
)
