"""Files in gzip and zstd: read like the files in them, and refused if damaged or far too large."""

import gzip
import json
import tempfile

import pytest

from sasrec.data.formats import copies
from sasrec.data.formats.copies import ALWAYS_ALLOWED_BYTES, MAX_EXPANSION
from sasrec.data.formats.readers import read_file
from sasrec.data.sources import load_corpus
from sasrec.errors import DataError
from sasrec.settings.data import DataSettings

zstd = pytest.importorskip("backports.zstd", reason="Python below 3.14 needs backports.zstd")
COMPRESS = {"gz": gzip.compress, "zst": zstd.compress}
FILES = {
    "e.csv": ("user_id,item_id\nu,a\nu,b\n", {}),
    "e.tsv": ("user_id\titem_id\nu\ta\nu\tb\n", {}),
    "e.txt": ("u a b\n", {"columns": "user,items"}),
    "e.dat": ("u::a::1\nu::b::2\n", {"columns": "user,item,time"}),
    "e.jsonl": ("".join(json.dumps({"user_id": "u", "item_id": i}) + "\n" for i in "ab"), {}),
    "e.inter": ("user_id:token\titem_id:token\nu\ta\nu\tb\n", {}),
}


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir()), "temporary copies are left"


def complaint(path, **columns):
    with pytest.raises(DataError) as caught:
        read_file(path, DataSettings(**columns))
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize("end", COMPRESS)
@pytest.mark.parametrize("name", FILES)
def test_a_compressed_file_is_read_like_the_file_in_it(name, end, tmp_path):
    text, settings = FILES[name]
    path = tmp_path / f"{name}.{end}"
    path.write_bytes(COMPRESS[end](text.encode()))
    corpus = load_corpus(path, DataSettings(**settings))
    assert (corpus.name, corpus.source) == ("e", str(path))
    assert corpus.items.entries.to_list() == ["a", "b"]


@pytest.mark.parametrize("end", COMPRESS)
def test_messages_name_the_compressed_file(end, tmp_path):
    path = tmp_path / f"e.csv.{end}"
    path.write_bytes(COMPRESS[end](b"user_id,item_id\nu,a\nu,\n"))
    assert complaint(path).startswith(f"e.csv.{end}, row 2: 'item_id' is empty")
    assert complaint(path, user_column="who").startswith(f"e.csv.{end} has no column 'who'")
    path.write_bytes(COMPRESS[end]("user_id,item_id\né,a\n".encode("latin-1")))
    assert complaint(path).startswith(f"e.csv.{end} is not UTF-8 text")
    assert read_file(path, DataSettings(encoding="latin-1")).users.to_list() == ["é"]


@pytest.mark.parametrize(("end", "kind"), [("gz", "gzip"), ("zst", "zstd")])
def test_a_truncated_or_damaged_file_is_refused(end, kind, tmp_path):
    path = tmp_path / f"e.csv.{end}"
    whole = COMPRESS[end](b"".join(b"u%d,i%d\n" % (n, n) for n in range(999)))
    path.write_bytes(whole[: len(whole) // 2])
    assert complaint(path) == (
        f"e.csv.{end} is truncated ({kind} data without an end); download or write the file again"
    )
    path.write_bytes(b"user_id,item_id\nu,a\n")
    assert complaint(path).startswith(f"e.csv.{end} cannot be decompressed as {kind} (")
    assert complaint(path).endswith("; download or write the file again, or correct its suffix")


@pytest.mark.parametrize("end", COMPRESS)
def test_several_streams_in_one_file_are_all_read(end, tmp_path):
    path = tmp_path / f"e.csv.{end}"
    path.write_bytes(COMPRESS[end](b"user_id,item_id\nu,a\n") + COMPRESS[end](b"u,b\n"))
    assert len(read_file(path, DataSettings())) == 2


@pytest.mark.parametrize("end", COMPRESS)
def test_a_file_that_expands_far_too_much_is_refused(end, tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "ALWAYS_ALLOWED_BYTES", 2**20)
    path = tmp_path / f"e.csv.{end}"
    path.write_bytes(COMPRESS[end](b"user_id,item_id\n" + b"u,a\n" * 2**20))
    most = MAX_EXPANSION * path.stat().st_size + 2**20
    assert complaint(path) == (
        f"e.csv.{end} expands to more than {most:,} bytes, {MAX_EXPANSION} times its size and "
        "64 MiB; if this is real, decompress it first"
    )
    assert ALWAYS_ALLOWED_BYTES == 2**26


def test_a_temporary_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    path = tmp_path / "e.csv.gz"
    path.write_bytes(gzip.compress(b"user_id,item_id\nu,a\n"))
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        assert complaint(path) == (
            "e.csv.gz needs a temporary copy, which cannot be written to gone (No such file or "
            "directory); set TMPDIR to a folder with enough space"
        )
