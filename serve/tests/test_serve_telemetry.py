"""ONNX Runtime reports nothing about its use, and keeps no files for that."""

import os
import subprocess
import sys
from pathlib import Path

from exported_forms import recommender_of

import sasrec

PROGRAM = "import sys, sasrec_serve; sasrec_serve.load(sys.argv[1]).recommend([['i1']], 1)"


def test_loading_a_model_writes_nothing_and_turns_telemetry_off(tmp_path: Path) -> None:
    sasrec.export(recommender_of("FMC"), tmp_path / "out")
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    home = tmp_path / "home"
    home.mkdir()
    names = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    rest = {name: value for name, value in os.environ.items() if name not in names}
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "out")]
    subprocess.run(words, check=True, env={**rest, "HOME": str(home)})
    assert list(home.rglob("*")) == []
