"""Importing and training do not use the network; only downloads of data sets do."""

import subprocess
import sys

PROGRAM = """
import socket

def refused(*_, **__):
    raise AssertionError("the network was touched")

socket.socket.connect = refused
socket.getaddrinfo = refused
import pkgutil, importlib
import sasrec
for module in pkgutil.walk_packages(sasrec.__path__, "sasrec."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
one = sasrec.train("synthetic:users=30,items=10,length=8", {"epochs": 1, "device": "cpu"})
one.recommend([["i1", "i2"]], 3)
"""


def test_importing_everything_and_training_touch_no_network() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
