"""RecBole's functions and classes, called as in its scripts."""

import json
import signal
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

import forked
from sasrec.cli.app import main
from sasrec.data.saved_events import write_atomic
from sasrec.data.synthetic import generate
from sasrec.errors import DataError, ModelError, SettingsError
from sasrec.recbole import (
    Config,
    full_sort_scores,
    full_sort_topk,
    load_data_and_model,
    objective_function,
    run,
    run_recbole,
)
from sasrec.recommender.loading import load

METRICS = ("recall", "mrr", "ndcg", "hit", "precision")
EVAL_ARGS = {"split": {"LS": "valid_and_test"}, "mode": "uni9"}
SMALL = {
    "hidden_size": 16,
    "inner_size": 16,
    "n_layers": 1,
    "n_heads": 1,
    "epochs": 2,
    "train_neg_sample_args": None,
}
PAGE = """from recbole.quick_start import run_recbole

parameter_dict = {
    'train_neg_sample_args': None,
}
result = run_recbole(model='SASRec', dataset='shop', config_dict=parameter_dict)
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data set dataset/shop in the current folder, and an empty command line."""
    write_atomic(
        generate("synthetic:users=80,items=30,length=12"), tmp_path / "dataset/shop/shop.inter"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    return tmp_path


def test_the_result_is_recboles(shop: Path) -> None:
    result = run_recbole("SASRec", "shop", config_dict={**SMALL, "topk": [5, 10]})
    assert list(result) == [
        "best_valid_score",
        "valid_score_bigger",
        "best_valid_result",
        "test_result",
    ]
    names = ("recall", "mrr", "ndcg", "hit", "precision")
    expected = [f"{name}@{k}" for k in (5, 10) for name in names]
    assert sorted(result["test_result"]) == sorted(expected)
    assert result["best_valid_score"] == result["best_valid_result"]["mrr@10"]
    assert result["valid_score_bigger"] is True
    assert all(value == round(value, 4) for value in result["test_result"].values())
    [folder] = (shop / "saved").iterdir()
    assert folder.name.startswith("SASRec-")
    assert load(folder).recommend([["i1"]], k=1)


def test_the_dict_overrides_files_and_the_command_line_overrides_the_dict(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "a.yaml").write_text("learning_rate: 1e-2\nepochs: 9\nseed: 1\n")
    (shop / "b.yaml").write_text("epochs: 8\n")
    monkeypatch.setattr(sys, "argv", ["run.py", "--seed=3", "--topk=[7]", "stray"])
    config = Config("SASRec", "shop", ["a.yaml", "b.yaml"], {"epochs": "7", "hidden_act": "relu"})
    assert (config["learning_rate"], config["epochs"], config["seed"]) == (0.01, 7, 3)
    assert (config["topk"], config["hidden_act"]) == ([7], "relu")
    assert config["MAX_ITEM_LIST_LENGTH"] == 50
    assert config["stopping_step"] == 10
    assert config["no_such_key"] is None
    assert config.run.training.averaging == 0.0


def test_model_and_data_may_be_named_in_a_file(shop: Path) -> None:
    (shop / "a.yaml").write_text("model: SASRec\ndataset: shop\n")
    config = Config(config_file_list=["a.yaml"])
    assert (config.model, config.dataset) == ("SASRec", "shop")
    with pytest.raises(SettingsError, match="no dataset is given"):
        Config("SASRec")


def test_a_key_given_twice_is_refused(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--seed=3", "--seed=4"])
    with pytest.raises(SettingsError, match="--seed is given twice, as 3 and 4"):
        Config("SASRec", "shop")


def test_a_trial_returns_its_model_name_and_saves_only_if_asked(shop: Path) -> None:
    values = {**SMALL, "model": "SASRec", "dataset": "shop", "valid_metric": "giniindex@5"}
    result = objective_function(values, saved=False)
    assert result["model"] == "SASRec"
    assert result["valid_score_bigger"] is False
    assert result["best_valid_score"] > 0
    assert not (shop / "saved").exists()


def test_command_line_settings_may_be_of_any_model(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--nh=2", "--nv=1"])
    assert Config("Caser", "shop")["nh"] == 2
    monkeypatch.setattr(sys, "argv", ["run.py", "--model=Caser", "--nv=1"])
    assert Config(dataset="shop")["nv"] == 1


def free_port() -> str:
    with socket.socket() as door:
        door.bind(("localhost", 0))
        return str(door.getsockname()[1])


@pytest.mark.slow
def test_several_processes_give_the_result_of_the_first(shop: Path) -> None:
    port = free_port()
    result = run("SASRec", "shop", config_dict={**SMALL, "epochs": 1}, nproc=2, port=port)
    assert set(result["test_result"]) == {f"{name}@10" for name in METRICS}
    assert len(list((shop / "saved").iterdir())) == 1
    with pytest.raises(SettingsError, match="unknown key 'epohcs'"):
        run("SASRec", "shop", config_dict={"epohcs": 1}, nproc=2, port=port)


def test_options_of_the_script_itself_are_not_settings(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--params_file=x", "--tag=mine", "--epochs=7", "plain"]
    monkeypatch.setattr(sys, "argv", ["run.py", *words])
    assert Config("SASRec", "shop")["epochs"] == 7
    monkeypatch.setattr(sys, "argv", ["run.py", "--epohcs=7"])
    with pytest.raises(SettingsError, match="did you mean 'epochs'"):
        Config("SASRec", "shop")
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "--epohcs=7"])
    assert Config("SASRec", "shop")["epochs"] == 300


def test_config_behaves_as_in_recbole(shop: Path) -> None:
    config = Config("SASRec", "shop", config_dict={"topk": 5, "eval_args": EVAL_ARGS})
    assert config["metrics"] == ["Recall", "MRR", "NDCG", "Hit", "Precision"]
    assert (config["topk"], config["valid_metric"], config["dataset"]) == ([5], "MRR@10", "shop")
    assert config["eval_args"]["mode"] == {"valid": "uni9", "test": "uni9"}
    assert (config["worker"], config["repeatable"], config["data_path"]) == (
        0,
        True,
        "dataset/shop",
    )
    assert config["train_neg_sample_args"] is None
    config["epochs"] = 3
    config["loss_type"] = "BPR"
    assert (config["epochs"], config.run.training.epochs) == (3, 3)
    assert config.final_config_dict["train_neg_sample_args"]["distribution"] == "uniform"
    assert "epochs = 3" in str(config).splitlines()
    with pytest.raises(SettingsError, match=r"unknown key 'epohcs' in config\['epohcs'\]"):
        config["epohcs"] = 3


def test_a_single_config_file_may_be_a_text(shop: Path) -> None:
    (shop / "one.yaml").write_text("epochs: 4\n")
    assert Config("SASRec", "shop", "one.yaml")["epochs"] == 4


def test_the_command_takes_its_data_from_a_file_and_keys_in_two_words(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{key}: {value}" for key, value in SMALL.items()]
    (shop / "all.yaml").write_text("\n".join(["dataset: shop", *lines]))
    words = ["run_recbole", "--config_files", "all.yaml", "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", ["sasrec", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    [folder] = (shop / "saved").iterdir()
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["training"]["epochs"] == 1
    assert settings["source"].endswith("shop.inter")
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["sasrec", "run_recbole", "--seed"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "'--seed' has no value" in capsys.readouterr().err


def test_a_pickle_is_refused_with_instructions(shop: Path) -> None:
    (shop / "SASRec-x.pth").write_bytes(b"PK")
    with pytest.raises(ModelError, match="'sasrec recbole import --script' prints"):
        load_data_and_model("SASRec-x.pth")


@pytest.mark.slow
def test_a_script_may_train_in_two_processes_without_a_guard(shop: Path) -> None:
    (shop / "two.py").write_text(
        "from recbole.quick_start import *\n"
        "from recbole.utils import init_seed\n"
        f"init_seed(1)\nprint(run('SASRec', 'shop', config_dict={SMALL}, nproc=2, "
        f"port='{free_port()}')['best_valid_score'])\n"
    )
    command = [sys.executable, "-m", "sasrec", "exec", "two.py"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert float(ended.stdout.splitlines()[-1]) > 0
    assert ended.stderr == ""


@pytest.mark.slow
def test_an_interrupt_of_the_parent_ends_all_and_keeps_the_best(shop: Path) -> None:
    values = {**SMALL, "epochs": 5000, "stopping_step": 5000}
    words = [f"--{key}={value}" for key, value in values.items()]
    words += ["--dataset=shop", "--nproc=2", f"--port={free_port()}"]
    command = [sys.executable, "-m", "sasrec", "run_recbole", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Children of a test run in the background of a shell would ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        while "epoch 3:" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    [folder] = (shop / "saved").iterdir()
    assert process.returncode == 130
    kept = f"the best weights so far are in saved/{folder.name}"
    assert err.strip() == f"error: training was interrupted; {kept}"
    load(folder)


def test_case_studies_of_a_saved_model(shop: Path) -> None:
    run_recbole("SASRec", "shop", config_dict=SMALL)
    [folder] = (shop / "saved").iterdir()
    config, model, dataset, _, valid_data, test_data = load_data_and_model(model_file=folder)
    assert config["hidden_size"] == 16
    assert (dataset.user_num, dataset.item_num) == (81, 31)
    users = dataset.token2id(dataset.uid_field, ["u5", "u2"])
    scores = full_sort_scores(users, model, test_data, device=config["device"])
    assert scores.shape == (2, 31)
    assert (scores[:, 0] == -torch.inf).all()
    values, items = full_sort_topk(users, model, test_data, k=4)
    assert (items > 0).all()
    assert torch.equal(values, scores.gather(1, items))
    tokens = dataset.id2token(dataset.iid_field, items)
    recommender = load(folder)
    sequences, begin = dataset.corpus.sequences, int(users[0]) - 1
    first, last = sequences.offsets[begin : begin + 2]
    history = recommender.items.tokens(sequences.items[first : last - 1])
    [found] = recommender.recommend([history], k=4, exclude_seen=False)
    assert list(tokens[0]) == found.items
    np.testing.assert_allclose(values[0], found.scores, atol=1e-5)  # float32 sums in another order
    assert not torch.equal(full_sort_scores(users, model, valid_data), scores)
    with pytest.raises(DataError, match="user_id: no token 'nobody' in shop"):
        dataset.token2id(dataset.uid_field, "nobody")
    with pytest.raises(DataError, match="no case in this part"):
        full_sort_scores([999], model, test_data)


def test_events_left_after_filtering_can_be_saved(shop: Path) -> None:
    values = {**SMALL, "save_dataset": True, "item_inter_num_interval": "[5,inf)", "epochs": 1}
    run_recbole("SASRec", "shop", config_dict=values, saved=False)
    config = Config("SASRec", str(shop / "saved" / "shop"))
    again = run_recbole("SASRec", str(shop / "saved" / "shop"), config_dict={**SMALL, "epochs": 1})
    assert config.dataset.endswith("saved/shop")
    assert again["test_result"]["recall@10"] >= 0


def ran(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.ran("-m", *words, cwd=cwd)


@pytest.mark.parametrize("words", [("sasrec", "exec"), ("sasrec.recbole",)])
def test_the_script_of_the_page_runs_unchanged(shop: Path, words: tuple[str, ...]) -> None:
    (shop / "run.py").write_text(PAGE)
    small = [f"--{key}={value}" for key, value in SMALL.items()]
    ended = ran(*words, "run.py", *small, cwd=shop)
    assert ended.returncode == 0, ended.stderr
    assert "test result: {'recall@10':" in ended.stdout


def test_an_unsupported_name_is_reported(shop: Path) -> None:
    for line, text in (
        ("from recbole.model.layers import FMEmbedding", "has no recbole.model.layers; it has"),
        ("from recbole.quick_start import run_everything", "no recbole.quick_start.run_everything"),
    ):
        (shop / "run.py").write_text(line + "\n")
        ended = ran("sasrec", "exec", "run.py", cwd=shop)
        assert ended.returncode == 2
        assert text in ended.stderr
        assert ended.stderr.startswith("error: ")
        assert len(ended.stderr.splitlines()) == 1


def test_recboles_command_line_is_understood(shop: Path) -> None:
    (shop / "a.yaml").write_text("hidden_size: 16\ninner_size: 16\nn_heads: 1\n")
    (shop / "b.yaml").write_text("n_layers: 1\nepochs: 3\n")
    ended = ran(
        "sasrec",
        "run_recbole",
        "--model=SASRec",
        "--dataset=shop",
        "--config_files",
        "a.yaml b.yaml",
        "--epochs=1",
        "--worker=2",
        cwd=shop,
    )
    assert ended.returncode == 0, ended.stderr
    assert "settings without effect: worker" in ended.stdout + ended.stderr
    [folder] = (shop / "saved").iterdir()
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["training"]["epochs"] == 1
    assert settings["model"]["hidden_size"] == 16


def test_a_scripts_own_error_shows_its_trace(shop: Path) -> None:
    (shop / "run.py").write_text("from recbole.quick_start import run_recbole\nprint({}['a'])\n")
    ended = ran("sasrec", "exec", "run.py", cwd=shop)
    assert ended.returncode == 1
    assert "KeyError: 'a'" in ended.stderr
    assert "line 2" in ended.stderr
    assert "runpy" not in ended.stderr
    assert "bug in sasrec" not in ended.stderr


def test_a_script_that_calls_exit_keeps_its_exit_code(shop: Path) -> None:
    (shop / "run.py").write_text("import sys\nsys.exit(7)\n")
    assert ran("sasrec", "exec", "run.py", cwd=shop).returncode == 7


def test_the_data_set_object_is_printed_on_one_line(shop: Path) -> None:
    run_recbole("SASRec", "shop", config_dict=SMALL)
    [folder] = (shop / "saved").iterdir()
    *_, test_data = load_data_and_model(folder)
    assert repr(test_data).startswith("<Dataset shop: 80 users, 30 items,")
    assert repr(load(folder)).startswith("<Recommender: SASRec, 30 items, trained on ")


def test_a_search_of_recboles_form_runs(shop: Path) -> None:
    (shop / "hyper.test").write_text("learning_rate choice [0.01,0.001]\nn_heads choice [1,3]\n")
    small = {key: value for key, value in SMALL.items() if key not in {"n_heads"}}
    (shop / "run.py").write_text(
        "from recbole.quick_start import objective_function\n"
        "from recbole.trainer import HyperTuning\n"
        "tuning = HyperTuning(objective_function, params_file='hyper.test', "
        "fixed_config_file_list=['base.yaml'])\n"
        "tuning.run()\n"
        "tuning.export_result('hyper.result')\n"
        "print('best', tuning.best_params)\n"
    )
    lines = [f"{key}: {json.dumps(value)}" for key, value in small.items()]
    (shop / "base.yaml").write_text("\n".join([*lines, "model: SASRec", "dataset: shop"]))
    ended = ran("sasrec", "exec", "run.py", cwd=shop)
    assert ended.returncode == 0, ended.stderr
    assert "best {'learning_rate': 0.0" in ended.stdout
    text = (
        shop / "hyper.result"
    ).read_text()  # 16 is not a multiple of 3 heads, so two trials fail
    assert text.count("Valid result:") == text.count("n_heads:1") == 2


def test_two_models_of_the_same_second_do_not_collide(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Frozen":
            return cls(2026, 11, 24, 11, 18, 42)

    monkeypatch.setattr("sasrec.recbole.training.datetime", Frozen)
    for _ in range(2):
        run_recbole("SASRec", "shop", config_dict={**SMALL, "epochs": 1})
    assert sorted(path.name for path in (shop / "saved").iterdir()) == [
        "SASRec-Nov-24-2026_11-18-42",
        "SASRec-Nov-24-2026_11-18-42-2",
    ]
