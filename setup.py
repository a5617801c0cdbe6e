"""The compiled kernels; all else about the package stands in pyproject.toml."""

from glob import glob

from setuptools import Extension, setup

HERE = "src/sasrec/kernels"

setup(
    ext_modules=[
        Extension(
            "sasrec.kernels._native",
            sources=sorted(glob(f"{HERE}/*.c")),
            depends=sorted(glob(f"{HERE}/*.h")),
            extra_compile_args=["-O3", "-std=gnu11", "-fvisibility=hidden"],
            libraries=["m"],
            optional=True,  # where it cannot be built, PyTorch does the work
        )
    ]
)
