"""What the commands print and write, in this process; the processes are in test_real_command."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sasrec
from sasrec.cli.app import main
from sasrec.settings import plugins
from sasrec.settings.data import DataSettings
from sasrec.settings.evaluation import EvaluationSettings
from sasrec.settings.plugins import TABLES
from sasrec.settings.training import TrainingSettings

SMALL = "--hidden_size=16 --inner_size=16 --n_layers=1 --n_heads=1"


def called(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of ``sasrec WORDS``."""
    monkeypatch.setattr(sys, "argv", ["sasrec", *words.split()])
    capsys.readouterr()
    with pytest.raises(SystemExit) as leaving:
        main()
    printed = capsys.readouterr()
    return int(leaving.value.code or 0), printed.out, printed.err


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generated data and a model trained on it."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "160")
        for words in (
            "data fetch synthetic:users=120,items=40 --to data",
            f"train -d data/synthetic --epochs 2 --out model --quiet {SMALL}",
        ):
            patch.setattr(sys, "argv", ["sasrec", *words.split()])
            with pytest.raises(SystemExit) as leaving:
                main()
            assert not leaving.value.code
    return folder


@pytest.fixture
def place(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    monkeypatch.setenv("COLUMNS", "160")
    return made


def test_generated_data_are_written_as_an_atomic_data_set(place: Path) -> None:
    lines = (place / "data" / "synthetic" / "synthetic.inter").read_text().splitlines()
    assert lines[0] == "user_id:token\titem_id:token\ttimestamp:float"
    assert len({line.split("\t")[0] for line in lines[1:]}) == 120


def test_training_prints_json_and_nothing_else(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"train -d data/synthetic --epochs 1 --out other --json {SMALL}"
    code, out, err = called(words, monkeypatch, capsys)
    assert (code, err) == (0, "")
    printed = json.loads(out)
    *others, recent = [each["model"] for each in printed["reports"]]
    assert others == ["SASRec", "Popularity", "Markov"]
    assert recent.startswith("Popularity ")
    assert printed["folder"] == "other"
    assert len(printed["epochs"]) == 1


def test_saved_settings_are_those_given(place: Path) -> None:
    settings = json.loads((place / "model" / "settings.json").read_text())
    assert settings["model"]["hidden_size"] == 16
    assert settings["training"]["epochs"] == 2
    assert settings["source"] == str(place.resolve() / "data" / "synthetic" / "synthetic.inter")


def test_evaluate_takes_other_metrics_and_cutoffs(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "evaluate model --metrics ndcg,map,itemcoverage --topk 1,5"
    code, out, _ = called(f"{words} --json", monkeypatch, capsys)
    keys = {f"{name}@{k}" for name in ("ndcg", "map", "itemcoverage") for k in (1, 5)}
    assert code == 0
    assert set(json.loads(out)["test"]) == keys
    code, out, _ = called(words, monkeypatch, capsys)
    assert code == 0
    assert "NDCG@5" in out
    assert "MAP@1" in out


def test_recommend_prints_one_line_per_history(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "people.txt").write_text('i1 i2\n["i3", 7]\n')
    words = "recommend model --history i1,x --user u1 -f people.txt -k 4 --json"
    code, out, err = called(words, monkeypatch, capsys)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [each["for"] for each in lines] == [
        "history i1,x",
        "user u1",
        "people.txt, line 1",
        "people.txt, line 2",
    ]
    assert [len(each["items"]) for each in lines] == [4] * 4
    assert [each["unknown"] for each in lines] == [["x"], [], [], ["7"]]


def test_user_features_are_printed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place / "data" / "synthetic" / "synthetic.user"
    file.write_text("user_id:token\tage:float\tjob:token\nu2\t24\t\nu1\t53\twriter\n")
    out = called("recommend model --user u1 --user u2 --user u3", monkeypatch, capsys)[1]
    file.unlink()
    lines = out.splitlines()
    assert lines[1] == "age 53, job writer"
    assert lines.count("age 24") == 1
    assert [line[:7] for line in lines if line.startswith("user")] == [
        "user u1",
        "user u2",
        "user u3",
    ]


def test_progress_follows_the_settings(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"train -d data/synthetic --epochs 1 --out scratch --overwrite {SMALL}"
    err = called(f"{words} --loss_decimal_place=1", monkeypatch, capsys)[2]
    assert re.search(r"epoch 1: loss \d\.\d, ndcg@20 ", err)


@pytest.mark.parametrize(("level", "heard"), [("WARNING", True), ("CRITICAL", False)])
def test_log_level_is_applied(
    level: str,
    heard: bool,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = "a\tx\na\ty\na\tz\n" * 3
    (place / "untimed.inter").write_text(f"user_id:token\titem_id:token\n{events}")
    words = f"train -d untimed.inter --epochs 1 --out scratch --overwrite --quiet {SMALL}"
    try:
        assert called(f"{words} --log_level={level}", monkeypatch, capsys)[0] == 0
    finally:
        logging.getLogger("sasrec").setLevel(logging.NOTSET)
    assert any("no column 'timestamp'" in message for message in caplog.messages) == heard


def test_recommend_prints_skipped_items(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called("recommend model --history x,y -k 2", monkeypatch, capsys)
    assert code == 0
    assert "skipped items unknown to the model: x, y" in out
    assert "these are the most popular" in out


def test_seen_items_and_candidates_can_be_chosen(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "recommend model --history i1 --candidates i1,i2 --json"
    _, out, _ = called(words, monkeypatch, capsys)
    assert json.loads(out)["items"] == ["i2"]
    _, out, _ = called(f"{words} --no-exclude-seen", monkeypatch, capsys)
    assert set(json.loads(out)["items"]) == {"i1", "i2"}


def test_describe_counts_what_is_in_the_file(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called("data describe data/synthetic --json", monkeypatch, capsys)
    facts = json.loads(out)
    lines = (place / "data" / "synthetic" / "synthetic.inter").read_text().splitlines()[1:]
    assert code == 0
    assert (facts["users"], facts["items"]) == (120, 40)
    assert facts["interactions"] == len(lines)
    code, out, _ = called("data describe data/synthetic", monkeypatch, capsys)
    assert f"{len(lines):,}" in out


READER = """
import polars as pl, sasrec

def read(path, settings):
    rows = [line.split() for line in path.read_text().splitlines()]
    return pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")

sasrec.register_reader(".words", read)
"""


def test_a_plug_in_reader_describes_data_and_is_asked_for(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for table in TABLES.values():
        monkeypatch.setattr(table, "_external", dict(table._external))
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))
    (tmp_path / "reader.py").write_text(READER)
    data = tmp_path / "events.words"
    data.write_text("a 1\na 2\na 3\nb 2\nb 3\nb 1\n")
    plugin = f"--plugin {tmp_path / 'reader.py'} --time_column=none"
    code, out, _ = called(f"data describe {data} --json {plugin}", monkeypatch, capsys)
    assert (code, json.loads(out)["interactions"]) == (0, 6)
    code, _, _ = called(
        f"train -d {data} -o {tmp_path}/m {plugin} --epochs=1 {SMALL}", monkeypatch, capsys
    )
    assert code == 0
    plugins._loaded.clear()
    TABLES["reader"].restore({})
    everybody = f"recommend {{}} --all-users --out {tmp_path}/lists.csv"
    vectors = f"vectors {{}} --users --out {tmp_path}/users.parquet"
    one = ("recommend {} --user a", "explain {} --user a", "evaluate {}")
    for words in (*one, everybody, vectors):
        code, _, err = called(words.format(tmp_path / "m"), monkeypatch, capsys)
        assert code == 2
        assert "needs the reader 'words' from the plug-in file" in err
        assert "load it with --plugin reader.py" in err


def test_config_names_every_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called("config --n_layers=3", monkeypatch, capsys)
    assert code == 0
    assert "  n_layers = 3  (command line)\n" in out
    for group in (DataSettings, TrainingSettings, EvaluationSettings):
        for name in group.model_fields:
            assert f"\n  {name} = " in out
    code, out, _ = called("config --train-batch-size=5 --json", monkeypatch, capsys)
    assert json.loads(out)["training"]["batch_size"] == 5


def test_list_names_generated_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called("data list --json", monkeypatch, capsys)
    assert code == 0
    assert {"ml-100k", "synthetic"} <= {each["name"] for each in json.loads(out)}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("recommend model", "no history to recommend for; give --history, --user or --file"),
        ("recommend model --user nobody", "user 'nobody' is not in "),
        ("recommend model -f none.txt", "none.txt cannot be read: No such file"),
        ("recommend model -f broken.txt", "broken.txt, line 1: not a valid JSON list"),
        (
            "recommend model -f nested.txt",
            "nested.txt, line 1: a history must be a list of item tokens",
        ),
        ("recommend model --history i1 --candidates x", "none of the candidates"),
        ("evaluate model --metrics ndgc", "did you mean 'ndcg'?"),
        (
            "evaluate model --topk ten",
            "topk is 'ten': each value must be a whole number",
        ),
        ("evaluate model --topk 0", "topk is "),
        ("evaluate model -d ml-10k", "did you mean 'ml-100k'?"),
        ("data fetch ml-10k", "did you mean 'ml-100k'?"),
        ("data fetch synthetic:users=many", "users is 'many'; it must be a number"),
        ("config --hidden_sise=3", "did you mean 'hidden_size'?"),
        ("config --topk={[1]:2}", "topk is "),
        ("train -d data/synthetic --out model", "already holds a model"),
        ("train -d data/synthetic --out data", "exists and is not a model folder"),
        ("train -d data/synthetic --device=tpu --out new", "device is 'tpu'"),
        (
            f"train -d data/synthetic --learning_rate=1e30 --quiet --out new {SMALL}",
            "try a smaller learning_rate",
        ),
    ],
)
def test_mistake_ends_in_one_line(
    words: str,
    text: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (place / "broken.txt").write_text('["i1", \n')
    (place / "nested.txt").write_text('[["i1"]]\n')
    before = sorted(place.rglob("*"))
    code, out, err = called(words, monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert text in err
    assert len(err.splitlines()) == 1
    assert sorted(place.rglob("*")) == before


def test_several_mistakes_are_printed_one_per_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("learnign_rate: 0.1\nhidden_size: 50\n")
    Path("b.yaml").write_text("n_heads: 4\nepochs: '0\n  x'\n")
    words = "train -d none.inter -c a.yaml -c b.yaml --hidden_act=gelo"
    code, out, err = called(words, monkeypatch, capsys)
    assert (code, out) == (2, "")
    head, *lines = err.splitlines()
    assert head == "error: 4 mistakes in the settings:"
    assert [line[:45] for line in lines] == [
        "  unknown key 'learnign_rate' in a.yaml, line",
        "  hidden_act is 'gelo': it must be one of 'ge",
        "  a.yaml, line 2 and b.yaml, line 1: hidden_s",
        "  b.yaml, line 2: epochs is '0 x': it must be",
    ]


def test_only_the_first_of_very_many_mistakes_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("".join(f"key{number}: 1\n" for number in range(100)))
    lines = called(f"config -c {path}", monkeypatch, capsys)[2].splitlines()
    assert lines[0] == "error: 100 mistakes in the settings:"
    assert lines[-1] == "  and 80 more mistakes"
    assert len(lines) == 22


@pytest.mark.parametrize("words", ["train -d none.inter --out new", "recommend nowhere"])
def test_mistake_in_a_separate_process(words: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sasrec", *words.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called("--version", monkeypatch, capsys) == (0, f"sasrec {sasrec.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("train", "no data are given; add --data, such as --data ml-100k"),
        ("train -d x --epochs=abc", "'--epochs': it must be a whole number (see"),
        ("nothing", "No such command 'nothing'"),
        ("recommend m --exclude_seen=false", "not take a value (see 'sasrec recommend --help')"),
        ("train --quite -d x", "'--quite' has no value; did you mean --quiet?"),
        ("train --dta x", "unknown key 'dta' on the command line; did you mean --data?"),
        ("train -d x --plugn f", "did you mean --plugin?"),
        ("compare -d x --overwrit", "did you mean --overwrite?"),
        ("compare -d x --model FPMC", "choose the model with --models, or run RecBole's files"),
        ("tune -d x --auto --trails=5", "unknown key 'trails' on the command line; did you mean"),
        ("data describe x --jsn", "'--jsn' has no value; did you mean --json?"),
        ("train -d x --epochs 1 --epochs 2", "--epochs is given twice; keep one"),
        ("compare -d x -k 1 --topk=2", "--topk is given twice; keep one"),
        ("train -d x -k x", "topk is 'x': each value must be a whole number"),
        ("recommend model -k 0", "Invalid value for '--topk' / '-k': it must be at least 1"),
    ],
)
def test_a_wrong_command_line_ends_in_one_line(
    words: str,
    text: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = called(words, monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert text in err
    assert len(err.splitlines()) == 1


def test_a_table_too_wide_for_the_terminal_has_metrics_in_rows(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "evaluate model --metrics ndcg,itemcoverage,giniindex,gauc --topk 5,10,20"
    for width, rows in (("70", True), ("300", False)):
        monkeypatch.setenv("COLUMNS", width)
        code, out, _ = called(words, monkeypatch, capsys)
        assert code == 0
        assert "…" not in out
        assert ("metric" in out) == rows
        assert "NDCG@20" in out
        assert "GAUC" in out


def test_evaluation_takes_settings_of_other_data(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (place / "data" / "synthetic" / "synthetic.inter").read_text().splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    text = "\n".join(["who;what;when", *(";".join(row) for row in rows)])
    (place / "other.csv").write_text(text)
    usual = called("evaluate model --json", monkeypatch, capsys)[1]
    words = "evaluate model -d other.csv --json"
    words += " --user_column=who --item_column=what --time_column=when"
    other = called(words, monkeypatch, capsys)[1]
    assert json.loads(usual)["test"] == json.loads(other)["test"]


def test_same_history_asked_twice_is_answered_twice(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = called("recommend model --history i1 --history i1 --json", monkeypatch, capsys)[1]
    assert len(out.splitlines()) == 2


def test_tokens_are_not_interpreted_as_markup(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = called("recommend model --history [/x],:smile:,i1", monkeypatch, capsys)
    assert code == 0
    assert "skipped items unknown to the model: [/x], :smile:" in out


def test_other_data_of_the_same_name_replace_a_model_only_with_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        rows = "".join(f"{user},{item},{item}\n" for user in range(5) for item in range(6))
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("user_id,item_id,timestamp\n" + rows)
    assert called(f"train -d a/x.csv -q --epochs=1 {SMALL}", monkeypatch, capsys)[0] == 0
    assert called(f"train -d a/x.csv -q --epochs=1 {SMALL}", monkeypatch, capsys)[0] == 0
    code, _, err = called(f"train -d b/x.csv -q --epochs=1 {SMALL}", monkeypatch, capsys)
    assert code == 2
    assert "holds a model trained on" in err


def test_the_current_folder_can_be_given_as_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    rows = "".join(f"{user}\t{item}\n" for user in range(5) for item in range(6))
    (shop / "shop.inter").write_text("user_id:token\titem_id:token\n" + rows)
    monkeypatch.chdir(shop)
    assert called(f"train -d . -q --epochs=1 {SMALL}", monkeypatch, capsys)[0] == 0
    assert (shop / "saved" / "shop" / "settings.json").is_file()


def test_output_settings_are_applied(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"train -d data/synthetic --epochs 1 {SMALL} --checkpoint_dir=kept --save_dataset=True"
    code, _, err = called(f"{words} --dataset_save_path=events", monkeypatch, capsys)
    assert code == 0
    assert "epoch 1: loss" in err
    assert (place / "kept" / "synthetic" / "settings.json").is_file()
    original = (place / "data" / "synthetic" / "synthetic.inter").read_text().splitlines()
    again = (place / "events" / "synthetic" / "synthetic.inter").read_text().splitlines()
    assert sorted(original) == sorted(again)
    err = called(f"{words} --show_progress=False", monkeypatch, capsys)[2]
    assert "epoch 1" not in err


def test_config_shows_values_that_a_preset_chooses_for_the_data(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(made)
    for words, place in (
        ("", "preset best"),
        (" -d data/synthetic", "preset best, for these data"),
    ):
        code, printed, _ = called(f"config --json{words}", monkeypatch, capsys)
        assert code == 0
        assert json.loads(printed)["origins"]["temperature"] == place
