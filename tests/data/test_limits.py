"""Input that is made to exhaust memory is refused, or read within a bounded multiple of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from sasrec.config_files import MOST_BYTES, yaml_file
from sasrec.data.limits import LONGEST_LINE, MOST_COLUMNS
from sasrec.data.readers import read_file
from sasrec.errors import DataError, SettingsError
from sasrec.settings import DataSettings
from sasrec.tuning.space import read_space

HEAD = b"user_id:token\titem_id:token\ttimestamp:float\n"
CSV_HEAD = b"user_id,item_id,timestamp\n"
SIZE = 8_000_000
READ = """
import sys
from pathlib import Path
from sasrec.data.sources import load_corpus
from sasrec.errors import SasrecError
from sasrec.settings import DataSettings

def most():
    with open("/proc/self/status") as file:
        return int(dict(line.split(":", 1) for line in file)["VmHWM"].split()[0]) * 1024

path, small = sys.argv[1:]
load_corpus(small, DataSettings())
before = most()
try:
    load_corpus(path, DataSettings())
    said = "read"
except SasrecError as error:
    said = str(error)
print(most() - before, said)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures with Linux's /proc")
@pytest.mark.parametrize(
    ("name", "content", "times", "said"),
    [
        # A row of an honest file has some 20 bytes; one of 6 is as small as rows get.
        ("usual.inter", HEAD + b"196\t242\t881250949\n" * (SIZE // 18), 10, "read"),
        ("small_rows.inter", HEAD + b"1\t2\t3\n" * (SIZE // 6), 25, "read"),
        ("blank.inter", HEAD + b"\n" * SIZE, 10, "no interactions"),
        ("tabs.inter", HEAD + b"\t" * SIZE, 1, "line 2 has more than"),
        ("zeros.inter", HEAD + bytes(SIZE), 1, "line 2 has more than"),
        ("zeros.csv", bytes(SIZE), 1, "line 1 holds NUL bytes"),
        ("utf-16.csv", (CSV_HEAD + b"1,2,3\n" * 9).decode().encode("utf-16"), 1, "or UTF-16"),
        ("commas.csv", CSV_HEAD + b"," * SIZE, 1, "line 2 has more than"),
        ("quotes.csv", CSV_HEAD + b'1,"2,3\n' * (SIZE // 7), 10, "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_memory_is_a_bounded_multiple_of_the_file(
    name: str, content: bytes, times: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    small = tmp_path / "ordinary.inter"
    small.write_bytes(HEAD + b"1\t5\t10\n1\t6\t11\n1\t7\t12\n")
    output = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / name), str(small)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    taken, _, told = output.partition(" ")
    assert said in told
    assert int(taken) < times * len(content) + 2**23


@pytest.mark.parametrize("name", ["x.inter", "x.csv", "x.tsv"])
def test_the_endless_line_is_named(name: str, tmp_path: Path) -> None:
    head = HEAD if name == "x.inter" else CSV_HEAD.replace(b",", b"," if name == "x.csv" else b"\t")
    (tmp_path / name).write_bytes(head + b"\n" * LONGEST_LINE + b"a" * 2 * LONGEST_LINE)
    with pytest.raises(DataError, match=f"line {LONGEST_LINE + 2} has more than 1,048,576"):
        read_file(tmp_path / name, DataSettings())


@pytest.mark.parametrize("name", ["x.inter", "x.csv"])
def test_too_many_columns_are_counted(name: str, tmp_path: Path) -> None:
    kind, mark = (":token", "\t") if name == "x.inter" else ("", ",")
    names = (f"c{number}{kind}" for number in range(MOST_COLUMNS + 1))
    (tmp_path / name).write_text(mark.join(names) + "\n")
    with pytest.raises(DataError, match="line 1 names 10,001 columns"):
        read_file(tmp_path / name, DataSettings())


@pytest.mark.parametrize("read", [yaml_file, read_space])
def test_settings_are_no_data(read: object, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"# \xc3\xa4\n" * (MOST_BYTES // 5 + 1))
    with pytest.raises(SettingsError, match="large has more than 262,144 bytes"):
        read(path)  # type: ignore[operator]
