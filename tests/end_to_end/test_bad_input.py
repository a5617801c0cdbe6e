"""Every mistake of a user ends in one clear line and exit code 2, and leaves no files."""

import json
import sys
from pathlib import Path

import pytest

from sasrec.cli.app import main

HEADER = "user_id:token\titem_id:token\ttimestamp:float\n"
FILES = {
    "untyped.inter": "user_id\titem_id\ttimestamp\n1\t2\t3\n",
    "short.inter": HEADER + "1\t2\t3\n1\t3\n",
    "type.inter": HEADER.replace("item_id:token", "item_id:tokn") + "1\t2\t3\n",
    "time.inter": HEADER + "1\t2\tsoon\n",
    "empty.inter": "",
    "two.inter": HEADER + "1\t2\t3\n1\t3\t4\n",
    "bare.csv": "1,10,5.0,978300760\n1,11,3.0,978302109\n",
    "Beauty.txt": "1 10 11 12\n2 11 12 13\n",
    "parts/a.csv": "user_id,item_id,timestamp\n1,2,3\n",
    "parts/b.csv": "user_id,item_id\n1,2\n",
    "kinds/a.csv": "user_id,item_id,timestamp\n1,2,3\n",
    "kinds/b.csv": "user_id,item_id,timestamp\n1,2,2024-05-31\n",
    "days.csv": "user_id,item_id,timestamp\n1,2,03/04/2020\n",
    "orders/a.csv": "user_id,item_id,timestamp\n1,2,13/04/2020\n",
    "orders/b.csv": "user_id,item_id,timestamp\n1,2,04/13/2020\n",
    "shop.csv": "StockCode,CustomerID,Price\nA,1,3\n",
    "cut.csv.gz": "not gzip",
    "list.json": "[1]\n",
    "good.inter": HEADER + "".join(f"{u}\t{i}\t{i}\n" for u in range(5) for i in range(6)),
}
MISTAKES = [
    ("train -d none.inter", "none.inter: no such file"),
    ("train -d untyped.inter", "line 1: column 'user_id' has no type"),
    ("train -d short.inter", "line 3: 2 columns where the header names 3"),
    ("train -d type.inter", "unknown type 'tokn'; did you mean 'token'?"),
    ("train -d time.inter", "line 2: 'timestamp' is 'soon'; it must be a number"),
    ("train -d empty.inter", "is empty; its first line must name the columns"),
    ("train -d caf\udce9.inter", r"'caf\udce9.inter' is not valid UTF-8; rename the file"),
    (
        "train -d good.inter -m NextItNet --dilations=[0]",
        "dilations is 0: each value must be at least 1",
    ),
    ("compare -d good.inter -m BPR --leave_out=valid_only", "has no test cases"),
    ("compare -d good.inter -m BPR --n_layerz=1", "unknown key 'n_layerz' on the command line"),
    ("compare -d good.inter -m BPR -o good.inter", "good.inter is a file; choose another"),
    ("tune -d good.inter --auto -m GRU4Rec", "the built-in space is only for SASRec"),
    ("train -d two.inter", "no user has at least 3 events"),
    ("train -d good.inter --n_heads=3", "hidden_size 64 cannot be shared by n_heads 3"),
    ("train -d good.inter --hidden_act=gelo", "did you mean 'gelu'?"),
    ("train -d good.inter --learning_rate=-1", "learning_rate is -1"),
    ("train -d good.inter --learnign_rate=1", "did you mean 'learning_rate'?"),
    ("train -d good.inter --batch_size=5 --train_batch_size=5", "are the same setting"),
    ("train -d good.inter --seed=1 n_layers=1", "is not an option; did you mean --n_layers=1?"),
    ("train -d good.inter --n_layers", "has no value"),
    ("train -d good.inter --n_layers=1 --n_layers=2", "is given twice"),
    ("train -d good.inter --metrics=ndgc", "did you mean 'ndcg'?"),
    ("train -d good.inter --topk=0", "topk is 0"),
    ("train -d good.inter --valid_metric=ndcg", "write a metric as NAME@K"),
    ("train -d good.inter --out good.inter", "exists and is not a model folder"),
    ("train -d ml-10k", "did you mean 'ml-100k'?"),
    ("train -d synthetic:user=3", "did you mean 'users'?"),
    ("recommend nowhere --history 1", "no such model folder"),
    ("recommend . --history 1", "is not a model folder: it lacks settings.json"),
    ("recommend newer --history 1", "upgrade"),
    ("evaluate newer", "upgrade"),
    ("data describe none.csv", "no such file"),
    ("data describe bare.csv", "add --columns=user,item,rating,time (the words user, item"),
    ("train -d Beauty.txt", "add --columns=user,items if a line is a user and all items"),
    ("train -d bare.csv --columns=user,time", "columns=user,time has no item"),
    ("train -d bare.csv --columns=user,item", "4 values where columns=user,item names 2"),
    ("train -d bare.csv --encoding=utf9", "'utf9' is not an encoding"),
    ("train -d parts", "b.csv has no column 'timestamp', which parts/a.csv has"),
    ("train -d kinds/*.csv", "holds numbers in kinds/a.csv but dates in kinds/b.csv"),
    (
        "train -d days.csv",
        "(2020-03-04), and no value rules one out; add --time-format=day_first or",
    ),
    ("train -d days.csv --time-format=%d", "time_format is '%d': it has no year"),
    (
        "train -d days.csv --time-format=%Y-%m-%d",
        "days.csv, row 1: 'timestamp' is '03/04/2020'; it",
    ),
    (
        "train -d orders/*.csv",
        "such as '13/04/2020' in orders/a.csv but dates such as '04/13/2020'",
    ),
    ("train -d shop.csv", "--user-column=CustomerID --item-column=StockCode (in Python: "),
    ("data describe shop.csv", "; the whole command: sasrec train -d shop.csv --user-column=Custo"),
    ("train -d parts/a.csv -d parts/a.csv", "parts/a.csv is given twice"),
    ("train -d none/*.csv", "none/*.csv: no data file matches this pattern"),
    ("train -d cut.csv.gz", "cut.csv.gz cannot be decompressed as gzip"),
    ("train -d list.json", "list.json is a JSON list; write one object per line"),
    ("train -d http://127.0.0.1:9/e.csv", "http://127.0.0.1:9/e.csv cannot be reached"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "settings.json").write_text(json.dumps({"format": 99, "sasrec": "9.9"}))
    (newer / "vocabulary.json").write_text("{}")
    (newer / "model.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("words", "text"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistake_ends_in_one_line_and_nothing_written(
    words: str,
    text: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(place.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["sasrec", *words.split()])
    with pytest.raises(SystemExit) as leaving:
        main()
    printed = capsys.readouterr()
    assert leaving.value.code == 2
    assert text in printed.err
    assert printed.err.startswith("error: ")
    assert len(printed.err.splitlines()) == 1
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert sorted(place.rglob("*")) == before


def test_a_bug_of_ours_exits_with_1_and_keeps_the_trace(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sasrec.experiment.train_into.run_prepared", broken)
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr(sys, "argv", ["sasrec", "train", "-d", "good.inter"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 1
    [trace] = place.glob("sasrec-*.log")
    assert "ZeroDivisionError" in trace.read_text()
    assert trace.name in capsys.readouterr().err
