"""Help texts, shell completion, spellings of options, singular and plural."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sasrec.cli.app import main
from sasrec.errors import counted

COMMANDS = (
    "train",
    "evaluate",
    "recommend",
    "export",
    "extend",
    "update",
    "explain",
    "info",
    "compare",
    "tune",
    "config",
    "help",
    "data list",
    "data fetch",
    "data describe",
    "recbole run",
    "recbole hyper",
    "recbole exec",
    "recbole import",
    "recbole significance",
)
OLD_NAMES = {
    "run_recbole": "run",
    "run_hyper": "hyper",
    "exec": "exec",
    "import-recbole": "import",
    "significance": "significance",
}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return a function from words to exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sasrec", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        printed = capsys.readouterr()
        return int(leaving.value.code or 0), printed.out, printed.err

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_the_same_for_help_h_and_the_help_command(command, said):
    words = command.split()
    code, out, err = said(*words, "--help")
    assert (code, err) == (0, "")
    assert f"Usage: sasrec {command}" in out
    assert said(*words, "-h") == (0, out, "")
    assert said("help", *words) == (0, out, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_screen_and_is_spelled_with_hyphens(command, said):
    out = said(*command.split(), "-h")[1]
    assert len(out.splitlines()) <= 42  # 40 lines, and blank ones around them
    assert "bool" not in out
    options = [word for word in out.replace(",", " ").split() if word.startswith("--")]
    assert options
    shown = [word for word in options if "=" not in word]
    assert [word for word in shown if "_" in word] == []


def test_main_help_lists_each_command_and_hides_old_names(said):
    code, out, _ = said("--help")
    assert code == 0
    assert said("help")[1] == out
    assert said("-h")[1] == out
    words = {line.split()[1] for line in out.splitlines() if line.startswith("│ ")}
    assert {command.split()[0] for command in COMMANDS} <= words
    assert words & (set(OLD_NAMES) - {"import"}) == set()
    assert len(out.splitlines()) <= 32


@pytest.mark.parametrize("old", OLD_NAMES)
def test_old_names_of_commands_still_work(old, said):
    code, out, _ = said(old, "--help")
    assert code == 0
    new = said("recbole", OLD_NAMES[old], "--help")[1]
    assert out.splitlines()[3:] == new.splitlines()[3:]


def test_an_unknown_command_is_reported_with_a_similar_one(said):
    code, _, err = said("help", "trian")
    assert code == 2
    assert "No such command 'trian'. Did you mean 'train'?" in err
    assert "'sasrec train' has no command 'x'" in said("help", "train", "x")[2]


def test_hyphens_and_underscores_are_the_same_in_options_and_settings(said, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("epcohs: 1\n")
    for spelling in ("--config-files", "--config_files"):
        assert "'epcohs'" in said("recbole", "run", f"{spelling}={file}")[2]
        assert "'epcohs'" in said("run_recbole", spelling, str(file))[2]
    for spelling in ("--learning_rate=0.5", "--learning-rate=0.5", "--learning-rate"):
        value = () if "=" in spelling else ("0.5",)
        assert "  learning_rate = 0.5  (command line)" in said("config", spelling, *value)[1]
    for spelling in ("--early-stop", "--early_stop"):
        code, _, err = said("tune", "-d", "x", "--auto", spelling, "0")
        assert code == 2
        assert "Invalid value for '--early-stop'" in err


@pytest.mark.parametrize("spelling", ["--topk", "-k"])
def test_cutoffs_have_the_same_option_in_all_commands(spelling, said, tmp_path):
    assert "  topk = (5, 20)  (command line)" in said("config", spelling, "5,20")[1]
    for words in (
        ("train", "-d", "x"),
        ("tune", "-d", "x", "--auto"),
        ("compare", "-d", "x", "--out", str(tmp_path / "compared")),
    ):
        code, _, err = said(*words, spelling, "0")
        assert code == 2
        assert "topk is " in err
    for command in ("recommend", "explain"):
        assert "Invalid value for '--topk' / '-k'" in said(command, "model", spelling, "0")[2]


def test_shell_completion_works(tmp_path: Path) -> None:
    def completed(line: str, number: int) -> set[str]:
        found = subprocess.run(
            [sys.executable, "-m", "sasrec"],
            env={
                **os.environ,
                "_SASREC_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(number),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return set(found.stdout.split())

    assert completed("sasrec tr", 1) == {"train"}
    assert completed("sasrec recbole ", 2) == {"run", "hyper", "exec", "import", "significance"}
    assert completed("sasrec train --ov", 2) == {"--overwrite"}


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (1, ("epoch",), "1 epoch"),
        (0, ("epoch",), "0 epochs"),
        (12_000, ("history", "histories"), "12,000 histories"),
        (1, ("history", "histories"), "1 history"),
    ],
)
def test_a_noun_agrees_with_its_number(number, words, text):
    assert counted(number, *words) == text
