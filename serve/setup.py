"""Builds the compiled kernel; everything else is configured in pyproject.toml."""

import hashlib
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = "src/sasrec_serve/scoring"
SOURCES, HEADERS = sorted(glob(f"{HERE}/*.c")), sorted(glob(f"{HERE}/*.h"))


def source_hash() -> str:
    """Return a hash of the sources; the library reports it and ``library.py`` checks it."""
    whole = hashlib.sha256()
    for path in (*SOURCES, *HEADERS):
        whole.update(Path(path).read_bytes())
    return f"0x{whole.hexdigest()[:12]}"


class BuildLibrary(build_ext):
    """Builds a library for ctypes, with a file name that Python does not import as a module."""

    def get_ext_filename(self, fullname: str) -> str:
        """Return the path for a module name, which may be given with or without its packages."""
        return fullname.replace(".", "/") + ".so.1"


setup(
    cmdclass={"build_ext": BuildLibrary},
    ext_modules=[
        Extension(
            "sasrec_serve.scoring.libscan",
            sources=SOURCES,
            depends=HEADERS,
            define_macros=[("SASREC_SERVE_INTERFACE", f"{source_hash()}LL")],
            extra_compile_args=["-O3", "-std=gnu11", "-fvisibility=hidden", "-fno-math-errno"],
            libraries=["m"],
            optional=True,  # if it cannot be built, NumPy is used instead
        )
    ],
)
