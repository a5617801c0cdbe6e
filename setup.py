"""The compiled kernels; all else about the package stands in pyproject.toml."""

from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = "src/sasrec/kernels"
LOOPS = ["-fopenmp-simd", "-fno-math-errno"]
"""Let marked loops take several numbers at a time, roots too; no OpenMP library is asked for."""


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
            sources=sorted(glob(f"{HERE}/*.c")),
            depends=sorted(glob(f"{HERE}/*.h")),
            extra_compile_args=["-O3", "-std=gnu11", "-fvisibility=hidden", *LOOPS],
            libraries=["m"],
            optional=True,  # where it cannot be built, PyTorch does the work
        )
    ],
)
