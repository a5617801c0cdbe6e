"""Fuzzes the readers with random inputs, or guided by coverage if atheris is installed.

    python fuzz/run.py --inputs 1000000            (make fuzz)
    python fuzz/run.py --targets yaml --inputs 5000 --seed 7
    python fuzz/run.py --guided --inputs 100000

A finding is printed with the file that contains its input; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from targets import Target

SHARES = {
    "words": 37,
    "hyper": 20,
    "yaml": 10,
    "checkpoint": 8,
    "recbole": 8,
    "model-settings": 3,
    "model-vocabulary": 3,
    "model-model": 3,
    "inter": 2,
    "csv": 1.5,
    "bare": 0.5,
    "jsonl": 1.5,
    "gzip": 1,
    "zstd": 1,
    "item": 1,
    "parts": 0.3,
    "parquet": 3.2,
}
"""Relative number of inputs of each target; slow readers get fewer."""
SECONDS = 20
"""Seconds after which a reader counts as hanging on one small input."""
MEMORY = 3 * 2**30
"""Bytes of address space that a reader may use in addition to those at the start of the process."""


def main() -> None:
    """Run each target in its own process, and print the number of inputs and the result."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--targets", nargs="+", default=list(SHARES), choices=SHARES)
    arguments.add_argument(
        "--inputs", type=int, default=1_000_000, help="number of inputs for all targets together"
    )
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--kept", type=Path, default=Path("fuzz-findings"))
    arguments.add_argument(
        "--guided", action="store_true", help="choose inputs by code coverage, with atheris"
    )
    arguments.add_argument("--one", help="run only this target (used by this script itself)")
    given = arguments.parse_args()
    if given.one and given.guided:
        run_guided(given.one, given.inputs, given.seed, given.kept)
    if given.one:
        run_target(given.one, given.inputs, given.seed, given.kept)
        return
    share_sum = sum(SHARES[name] for name in given.targets)
    total = failed = 0
    for name in given.targets:
        inputs = max(1, round(given.inputs * SHARES[name] / share_sum))
        words = ["--one", name, "--inputs", str(inputs), "--seed", str(given.seed)]
        words += ["--guided"] if given.guided else []
        started = time.perf_counter()
        ended = subprocess.run([sys.executable, __file__, *words, "--kept", str(given.kept)])
        taken = time.perf_counter() - started
        state = "ok" if ended.returncode == 0 else f"FAILED ({ended.returncode})"
        print(f"{name:<18}{inputs:>10,} inputs {taken:>8.0f} s  {state}", flush=True)
        total += inputs
        failed += ended.returncode != 0
    print(f"{total:,} inputs, {failed} targets with findings")
    sys.exit(failed > 0)


def run_guided(name: str, inputs: int, seed: int, kept: Path) -> NoReturn:
    """Run one target with inputs that atheris chooses by code coverage; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["sasrec"]):
        from targets import prepared, scratch, targets
    logging.disable(logging.CRITICAL)
    folder = scratch()
    prepared(folder)
    target = targets(folder)[name]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed_input in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed_input)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    kept.mkdir(exist_ok=True)
    options = [f"-runs={inputs}", f"-seed={seed}", f"-timeout={SECONDS}", "-verbosity=0"]
    options += [f"-dict={words}", f"-artifact_prefix={kept}/{name}-", "-rss_limit_mb=6000"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.read)
    atheris.Fuzz()
    raise AssertionError("atheris should have ended the process")


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def run_target(name: str, inputs: int, seed: int, kept: Path) -> None:
    """Run one target with random inputs."""
    from mutation import mutated
    from targets import prepared, scratch, targets

    logging.disable(logging.CRITICAL)
    folder = scratch()
    signal.signal(signal.SIGALRM, _hangs)
    try:
        prepared(folder)
        target = targets(folder)[name]
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        chance = random.Random(seed)
        pool = list(target.seeds)
        for _ in range(inputs):
            data = mutated(chance, pool, target.words)
            run_input(target, name, data, kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_input(target: Target, name: str, data: bytes, kept: Path) -> None:
    """Run a target with one input; save the input if it is a finding."""
    signal.alarm(SECONDS)
    try:
        target.read(data)
    except BaseException:
        kept.mkdir(exist_ok=True)
        path = kept / f"{name}-{abs(hash(data)):x}"
        path.write_bytes(data)
        print(f"finding: {path}", file=sys.stderr)
        raise
    finally:
        signal.alarm(0)


def _hangs(*_: object) -> None:
    raise TimeoutError(f"one input took longer than {SECONDS} s")


if __name__ == "__main__":
    main()
