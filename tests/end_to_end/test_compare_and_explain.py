"""compare, significance and explain as a user runs them."""

import json
import subprocess
from pathlib import Path

import pytest

from forked import ran

DATA = "synthetic:users=150,items=40,length=12"


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran("-m", "sasrec", *words, cwd=cwd)


def test_compare_prints_a_table_and_keeps_it(tmp_path: Path) -> None:
    ended = command(
        "compare", "-d", DATA, "-m", "sasrec,fpmc", "--epochs=2", "--seeds", "2", "-q", cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    for word in ("SASRec", "FPMC", "Markov", "Popularity", "ndcg@10 by slice", "seeds 2020, 2021"):
        assert word in ended.stdout
    [folder] = (tmp_path / "compared").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "comparison.json",
        "comparison.csv",
        "comparison.png",
    }


def test_a_saved_model_is_compared_without_training_again(tmp_path: Path) -> None:
    few = ("--epochs=2", "-q")
    trained = command("train", "-d", DATA, "--max_history=7", "-o", "saved/m", *few, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    words = ("compare", "-d", DATA, "-m", "saved/m,sasrec,fmc", "--hidden_size=8", *few)
    ended = command(*words, "-o", "out", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "hidden_size was set only for SASRec" in ended.stdout
    kept = json.loads((tmp_path / "out" / "comparison.json").read_text())
    means = {entry["model"]: entry["means"]["ndcg@10"] for entry in kept["entries"]}
    metrics = json.loads((tmp_path / "saved" / "m" / "metrics.json").read_text())
    assert means["saved/m (SASRec)"] == metrics["reports"][0]["test"]["ndcg@10"]
    assert means["saved/m (SASRec)"] != means["SASRec"]
    costs = {entry["model"]: entry for entry in kept["entries"]}["saved/m (SASRec)"]
    seconds = [epoch["seconds"] for epoch in metrics["epochs"]]
    assert costs["saved"]
    assert costs["epochs"] == 2
    assert costs["seconds_to_best"] == pytest.approx(sum(seconds[: metrics["best_epoch"]]))
    assert "epochs and times of saved models are from their own training" in ended.stdout
    other = ("compare", "-d", "synthetic:users=99,items=40,length=12", "-m", "saved/m")
    refused = command(*other, "-q", "-o", "not", cwd=tmp_path)
    assert refused.returncode == 2
    assert "saved/m was not trained on" in refused.stderr
    refused = command(*words[:5], "--leave_out=test_only", "-o", "not", cwd=tmp_path)
    assert refused.returncode == 2
    assert "saved/m was trained with leave_out 'valid_and_test'" in refused.stderr
    for models in ("saved/m", "saved/m,FMC"):
        refused = command(*words[:3], "-m", models, "--hidden_size=8", "-o", "not", cwd=tmp_path)
        assert refused.returncode == 2
        assert "'hidden_size' on the command line has no effect" in refused.stderr
    assert not (tmp_path / "not").exists()
    (tmp_path / "FMC").mkdir()  # FMC is the model; the folder would be ./FMC
    named = command(*words[:3], "-m", "fmc", *few, "-o", "named", cwd=tmp_path)
    assert named.returncode == 0, named.stderr


def test_the_papers_protocol_warns(tmp_path: Path) -> None:
    words = ("-m", "FMC", "--epochs=1", "--protocol", "paper", "-q", "-o", "here")
    large = "synthetic:users=150,items=200,length=12"
    ended = command("compare", "-d", large, *words, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "can change the order of models" in " ".join(ended.stdout.split())
    kept = json.loads((tmp_path / "here" / "comparison.json").read_text())
    assert kept["metrics"] == ["hit@10", "ndcg@10"]
    assert "100 items drawn uniformly outside the user's training events" in kept["protocol"]
    assert "as in the code of 2018" in kept["protocol"]


def test_significance_takes_recboles_flags(tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text("epochs: 2\nmetrics: [Recall]\n")
    ended = command(
        "significance",
        *("--model_ours", "FPMC", "--model_baseline", "BPR", "--dataset", DATA),
        *("--config_files", "few.yaml", "--run_times", "2"),
        cwd=tmp_path,
    )
    assert ended.returncode == 0, ended.stderr
    assert "recall@10" in ended.stdout
    assert "p (FPMC is better)" in ended.stdout


def test_explain_writes_one_page(tmp_path: Path) -> None:
    trained = command("train", "-d", DATA, "--epochs=1", "-o", "model", "-q", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    ended = command("explain", "model", "--history", "i1,i2,nothing,i3", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    page = (tmp_path / "model" / "explanation.html").read_text()
    assert page.count("data:image/png;base64,") >= 2
    assert "Effect of each event on the scores" in page
    ended = command("explain", "model", "--user", "u3", "-o", "u3.html", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "user u3" in (tmp_path / "u3.html").read_text()
    assert (tmp_path / "u3-by-distance.png").is_file()
    assert (tmp_path / "u3-history-1.png").is_file()


@pytest.mark.parametrize("model", ["gru4rec", "TransRec"])
def test_another_model_is_trained_evaluated_and_used_like_sasrec(
    model: str, tmp_path: Path
) -> None:
    words = ("-d", DATA, "-m", model, "--epochs=2", "-o", "model", "-q")
    trained = command("train", *words, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    saved = json.loads((tmp_path / "model" / "metrics.json").read_text())["reports"][0]
    again = command("evaluate", "model", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["test"] == pytest.approx(saved["test"], abs=1e-6)
    found = command("recommend", "model", "--user", "u3", "--json", cwd=tmp_path)
    assert len(json.loads(found.stdout)["items"]) == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "-d", DATA, "-m", "SASRek"), "unknown model 'SASRek'; did you mean 'SASRec'"),
        (("compare", "-d", DATA, "-m", ","), "no model to train or load is given"),
        (("compare", "-d", DATA, "--protocol", "papper"), "did you mean 'paper'"),
        (("compare", "-d", DATA, "--metrics=giniindex"), "is not a mean over test cases"),
        (("compare", "-d", DATA, "--n_layer=3"), "unknown key 'n_layer'"),
        (("significance", "-mo", "FPMC", "-mb", "fpmc", "-d", DATA), "both models are FPMC"),
        (("significance", "-mo", "FPMK", "-d", DATA), "unknown model 'FPMK'; did you mean 'FPMC'"),
        (("train", "-d", DATA, "-m", "Casser"), "unknown model 'Casser'; did you mean 'Caser'"),
        (("train", "-d", DATA, "-m", "TransRec", "--loss=CE"), "loss CE cannot be used"),
        (("explain", "nowhere"), "nowhere"),
        (("compare", "-d", DATA, "--seed=abc"), "seed is 'abc'"),
        (("train", "-d", DATA, "-m", "BERT4Rec", "--hidden_size=15"), "15 cannot be shared"),
        (("train", "-d", DATA, "-m", "GRU4Rec", "--preset", "paper"), "'paper' is only for SASRec"),
    ],
)
def test_mistakes_end_in_one_line(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    ended = command(*words, cwd=tmp_path)
    assert ended.returncode == 2, ended.stdout
    assert message in ended.stderr
    assert ended.stderr.count("error:") == 1
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
