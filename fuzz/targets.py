"""The fuzz targets: everything that reads files or command-line words from outside.

A target takes bytes, passes them to the reader as a user would, and ignores the errors that a user
can fix. Everything else (another exception, a hang, unlimited memory) is a finding.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from unittest import mock

import polars as pl

from sasrec.data.formats import pieces
from sasrec.data.sources import load_corpus
from sasrec.errors import SasrecError
from sasrec.recbole.checkpoint import read_checkpoint
from sasrec.recommender.folder import SETTINGS, VOCABULARY, WEIGHTS
from sasrec.recommender.loading import load
from sasrec.recommender.manifest import MANIFEST
from sasrec.settings.data import DataSettings
from sasrec.settings.files import Layer, layer_from_options, yaml_file
from sasrec.settings.resolve import resolve_layers
from sasrec.training.checkpoint import load_state
from sasrec.tuning.space import read_space


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        read: Reads the bytes; it only raises an exception for a finding.
        seeds: Valid inputs to start from.
        words: Byte strings to insert, besides random bytes.
    """

    read: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()


def targets(folder: Path) -> dict[str, Target]:
    """Return all targets by name.

    Args:
        folder: Folder filled by ``prepared``, with a valid model ``model`` and its checkpoint
            ``training.safetensors``; the files to read are written to it.

    Returns:
        The targets.
    """
    model = folder / "model"
    parts = {
        f"model-{name.partition('.')[0]}": Target(
            _part_of_model(folder, name), ((model / name).read_bytes(),), JSON_WORDS
        )
        for name in (SETTINGS, VOCABULARY, WEIGHTS)
    }
    numbers = (b"1e309", b"-1", b"nan", b"9" * 25, b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r\n", b'"')
    return {
        "words": Target(_words, WORD_SEEDS, (b"--", b"=", b"[", b"(", b"{", b"'", *numbers)),
        "yaml": Target(_file(folder / "x.yaml", _yaml), YAML_SEEDS, YAML_WORDS),
        "hyper": Target(_file(folder / "hyper.test", read_space), HYPER_SEEDS, numbers),
        "inter": Target(
            _file(folder / "x.inter", _corpus), INTER_SEEDS, (b"\t", b":token", b":float", *numbers)
        ),
        "csv": Target(_file(folder / "x.csv", _corpus), CSV_SEEDS, (b",", *numbers)),
        "parquet": Target(
            _file(folder / "x.parquet", lambda path: load_corpus(str(path), DataSettings())),
            _parquet_seeds(),
            (b"PAR1", b"\xff\xff\xff\x7f", b"\x00", b"\x19\xfc", b"user_id", b"\x15\xfe"),
        ),
        "bare": Target(_file(folder / "x.txt", _bare), BARE_SEEDS, (b" ", b"::", b"\t", *numbers)),
        "jsonl": Target(
            _file(folder / "x.jsonl", _default), JSONL_SEEDS, (b'"user_id":', b"{", b"\n", *numbers)
        ),
        "gzip": Target(_file(folder / "x.csv.gz", _default), (gzip.compress(CSV_SEEDS[0]),)),
        "zstd": Target(_file(folder / "x.csv.zst", _default), (ZSTD_SEED,)),
        "item": Target(_listed(folder / "listed"), ITEM_SEEDS, (b"\t", b":token", *numbers)),
        "parts": Target(_parts(folder / "parts"), (*INTER_SEEDS, *LIST_SEEDS), (b"\t", b" ")),
        **parts,
        "checkpoint": Target(
            _file(folder / "x.training.safetensors", load_state),
            ((folder / "training.safetensors").read_bytes(),),
            JSON_WORDS,
        ),
        "recbole": Target(
            _file(folder / "recbole.safetensors", read_checkpoint),
            ((model / WEIGHTS).read_bytes(),),
            (*JSON_WORDS, b"item_embedding.weight", b"trm_encoder.layer.0."),
        ),
    }


def prepared(folder: Path) -> None:
    """Train a small model, and save it and its checkpoint in a folder.

    Args:
        folder: An empty folder.
    """
    from sasrec.experiment.run import run_experiment
    from sasrec.settings.resolve import resolve_settings
    from sasrec.training.checkpoint import save_state
    from sasrec.training.progress import LogObserver

    run = resolve_settings({"hidden_size": 4, "inner_size": 4, "epochs": 1, "device": "cpu"})
    corpus = load_corpus("synthetic:users=12,items=8,length=6,topics=2", run.data)
    about = {"settings": run.as_json(), "data": "synthetic", "fingerprint": "f", "replaces": True}
    outcome = run_experiment(
        corpus,
        run,
        observer=LogObserver(),
        keep=lambda state: save_state(state, about, folder / "training.safetensors"),
    )
    outcome.recommender.save(folder / "model")


def scratch() -> Path:
    """Return a new temporary folder, in memory if possible."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="sasrec-fuzz-", dir=memory if memory.is_dir() else None))


BARE_SEEDS = (
    b"1 10\n1 11\n2 10\n",
    b"1 10 11 12\n2 11\n3 12 13\n",
    b"1::10::5::978300760\n1::11::3::978302109\n",
    b"1\t10\t5\t978300760\n1\t11\t3\t978302109\n",
    b"sep=;\n1;10\n1;11\n",
)
JSONL_SEEDS = (
    b'{"user_id": 1, "item_id": "a", "timestamp": 5}\n{"user_id": 1.0, "item_id": 2, "x": [{}]}\n',
    b'{"user_id":"u\\u00e9","item_id":null}\n\n{"item_id":true}\n',
)
ZSTD_SEED = bytes.fromhex("28b52ffd2014a10000757365725f69642c6974656d5f69640a752c610a")
"""The lines ``user_id,item_id`` and ``u,a``."""


def _default(path: Path) -> None:
    load_corpus(str(path), DataSettings())


def _bare(path: Path) -> None:
    """Read a text file without a header in each of the ways that the user may choose."""
    for settings in (
        {},
        {"columns": "user,item"},
        {"columns": "user,items"},
        {"columns": "user,item,_,time"},
        {"user_column": "1", "item_column": "2"},
        {"encoding": "utf-16"},
    ):
        with suppress(SasrecError):
            load_corpus(str(path), DataSettings(**settings))


def _file(path: Path, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(SasrecError):
            read(path)

    return target


def _parquet_seeds() -> tuple[bytes, ...]:
    """Return small Parquet files of numbers, texts and dates, compressed and uncompressed."""
    columns = {
        "user_id": [1, 1, 2, 2] * 5,
        "item_id": ["a", "b", None, "a name of some length"] * 5,
        "timestamp": [datetime(2024, 5, day) for day in range(1, 21)],
    }
    frame = pl.DataFrame(columns)
    frames = (frame.drop_nulls(), frame, frame.drop_nulls().with_columns(timestamp=1.5))
    seeds = []
    for each, compression in product(frames, ("zstd", "snappy", "uncompressed")):
        file = io.BytesIO()
        each.write_parquet(file, compression=compression, row_group_size=8)
        seeds.append(file.getvalue())
    return tuple(seeds)


def _part_of_model(folder: Path, name: str) -> Callable[[bytes], None]:
    broken = folder / f"broken-{name}"
    shutil.copytree(folder / "model", broken)
    (broken / MANIFEST).unlink()  # otherwise only the hash would be checked

    def target(data: bytes) -> None:
        (broken / name).write_bytes(data)
        with suppress(SasrecError):
            load(broken)

    return target


def _listed(folder: Path) -> Callable[[bytes], None]:
    """Return a reader of an .item file whose items are part of the catalogue."""
    folder.mkdir()
    (folder / "listed.inter").write_bytes(INTER_SEEDS[0])
    settings = DataSettings(load_columns={"inter": "*", "item": "*"})
    return _beside(folder / "listed.item", settings)


def _parts(folder: Path) -> Callable[[bytes], None]:
    """Return a reader of the second of three parts of a split data set, as events and as lists."""
    settings = DataSettings(split_files=("train", "valid", "test"))
    readers = []
    for form, seed in (("events", INTER_SEEDS[0]), ("lists", LIST_SEEDS[0])):
        own = folder / form
        own.mkdir(parents=True)
        for part in ("train", "test"):
            (own / f"{form}.{part}.inter").write_bytes(seed)
        readers.append(_beside(own / f"{form}.valid.inter", settings))

    def target(data: bytes) -> None:
        for each in readers:
            each(data)

    return target


def _beside(path: Path, settings: DataSettings) -> Callable[[bytes], None]:
    """Return a reader of the data set in the folder of a file."""
    return _file(path, lambda written: load_corpus(written.parent, settings))


def _words(data: bytes) -> None:
    words = data.decode(errors="replace").split(" ")
    with suppress(SasrecError):
        resolve_layers([layer_from_options(words)])


def _yaml(path: Path) -> None:
    layer: Layer = yaml_file(path)
    resolve_layers([layer])


def _corpus(path: Path) -> None:
    """Read a table at once and in tiny pieces; both results must be equal."""
    found = []
    for size in (40, pieces.SMALLEST):
        with mock.patch.multiple(pieces, SMALLEST=size, LARGEST=size):
            try:
                corpus = load_corpus(str(path), DataSettings())
            except SasrecError as error:
                found.append(("refused", error))
            else:
                found.append((corpus.sequences.fingerprint(), corpus.items.entries.to_list()))
    if found[0] != found[1] and (found[0][0], found[1][0]) != ("refused", "refused"):
        raise AssertionError(f"in pieces: {found[0]}, at once: {found[1]}")


WORD_SEEDS = (
    b"--hidden_size=64 --learning_rate 1e-3 --metrics=['ndcg','mrr'] --topk=5,10",
    b"--eval_args={'split':{'LS':'valid_and_test'},'mode':'full'} --train_neg_sample_args=None",
    b"--MAX_ITEM_LIST_LENGTH=50 --preset=best --dilations=[1,4] --user_inter_num_interval=[5,inf)",
)
YAML_SEEDS = (
    b"hidden_size: 64\nlearning_rate: 1e-3\ntopk: [5, 10]\nmetrics: [Recall, MRR, NDCG]\n",
    b"eval_args:\n  split: {LS: valid_and_test}\n  order: TO\n  mode: full\nseed: 2020\n",
    b"a: &x [1, 2]\nb: *x\nval_interval:\n  rating: '[3,inf)'\n",
)
YAML_WORDS = (
    b"!!python/object/apply:os.system",
    b"*x",
    b"&x",
    b"<<: ",
    b"|\n ",
    b"\t",
    b"- ",
    b"? ",
)
HYPER_SEEDS = (
    b"learning_rate choice [0.01,0.005,0.001]\nn_layers choice [1,2]\n",
    b"hidden_dropout_prob uniform 0.1,0.5\nhidden_size quniform 32,128,32\n",
    b"weight_decay loguniform -12,-4\nhidden_act choice ['gelu', \"relu\"]\n",
)
INTER_SEEDS = (
    b"user_id:token\titem_id:token\ttimestamp:float\n1\t5\t10\n1\t6\t11\n1\t7\t12\n2\t5\t1\n",
    b"user_id:token\titem_id:token\trating:float\tlist:token_seq\n1\t5\t3.5\ta b\n1\t6\t4\tc\n",
)
ITEM_SEEDS = (
    b"item_id:token\tmovie_title:token_seq\tclass:token_seq\n5\tKolya\tdrama film\n8\tTwo\t\n",
)
LIST_SEEDS = (b"user_id:token\titem_id_list:token_seq\titem_id:token\n1\t5 6\t7\n2\t5\t6\n",)
CSV_SEEDS = (
    b"user_id,item_id,timestamp\n1,5,10\n1,6,11\n1,7,12\n2,5,1\n",
    b'user_id,item_id\n"a, b",x\n"a, b",y\n"a, b",z\n',
)
JSON_WORDS = (b"null", b"[]", b"{}", b"-1", b"1e999", b"9" * 25, b'""', b"\\ud800", b"true", b"NaN")
