"""Runs in separate steps, as in RecBole's guide "use modules", for all supported models."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import forked
from sasrec.data.saved_events import write_atomic
from sasrec.data.synthetic import generate
from sasrec.errors import SettingsError
from sasrec.recbole import (
    Config,
    Trainer,
    create_dataset,
    data_preparation,
    get_model,
    get_trainer,
    run_recbole,
)
from sasrec.recbole.names import run_script

SMALL = {
    "hidden_size": 16,
    "inner_size": 16,
    "n_layers": 1,
    "n_heads": 1,
    "epochs": 2,
    "train_neg_sample_args": None,
}
GUIDE = """
import logging
from logging import getLogger
import recbole
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.MODULE import MODEL
from recbole.trainer import Trainer
from recbole.utils import init_seed, init_logger

if __name__ == '__main__':
    config = Config(model='MODEL', dataset='shop')
    init_seed(config['seed'], config['reproducibility'])
    init_logger(config)
    logger = getLogger()
    c_handler = logging.StreamHandler()
    c_handler.setLevel(logging.INFO)
    logger.addHandler(c_handler)
    logger.info(config)
    dataset = create_dataset(config)
    logger.info(dataset)
    train_data, valid_data, test_data = data_preparation(config, dataset)
    model = MODEL(config, train_data.dataset).to(config['device'])
    logger.info(model)
    trainer = Trainer(config, model)
    best_valid_score, best_valid_result = trainer.fit(train_data, valid_data)
    test_result = trainer.evaluate(test_data)
    print('version', recbole.__version__)
    print('result', test_result)
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data set dataset/shop in the current folder, and an empty command line."""
    write_atomic(
        generate("synthetic:users=60,items=30,length=12"), tmp_path / "dataset/shop/shop.inter"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    return tmp_path


def ran(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    Path("run.py").write_text(text)
    return forked.ran("-m", "sasrec", "exec", "run.py", *words, cwd=Path.cwd())


@pytest.mark.parametrize(
    ("model", "module"),
    [
        ("SASRec", "sequential_recommender"),
        ("GRU4Rec", "sequential_recommender.gru4rec"),
        ("BPR", "general_recommender"),
    ],
)
def test_the_script_of_the_guide_runs_unchanged(model: str, module: str) -> None:
    ended = ran(GUIDE.replace("MODEL", model).replace("MODULE", module), "--epochs=1")
    assert ended.returncode == 0, ended.stderr
    assert "version 1.2.1" in ended.stdout
    assert "result {'recall@10':" in ended.stdout
    assert len(list(Path("saved").iterdir())) == 1


def test_separate_steps_give_the_same_result_as_run_recbole() -> None:
    whole = run_recbole("SASRec", "shop", config_dict=SMALL, saved=False)
    config = Config("SASRec", "shop", config_dict=SMALL)
    dataset = create_dataset(config)
    train_data, valid_data, test_data = data_preparation(config, dataset)
    model = get_model(config["model"])(config, train_data._dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    seen: list[int] = []
    score, result = trainer.fit(
        train_data, valid_data, saved=False, callback_fn=lambda epoch, value: seen.append(epoch)
    )
    assert (score, result) == (whole["best_valid_score"], whole["best_valid_result"])
    assert trainer.evaluate(valid_data) == result
    assert trainer.evaluate(test_data) == whole["test_result"]
    assert seen == [0, 1]
    assert not Path("saved").exists()


def test_training_starts_with_weights_set_by_the_script() -> None:
    config = Config("SASRec", "shop", config_dict={**SMALL, "epochs": 1, "learning_rate": 1e-12})
    train_data, valid_data, _ = data_preparation(config, create_dataset(config))
    model = get_model("SASRec")(config, train_data.dataset)
    with torch.no_grad():
        model.item_embedding.weight.fill_(0.25)
    Trainer(config, model).fit(train_data, valid_data, saved=False)
    assert model.item_embedding.weight[1:].mean().item() == pytest.approx(0.25, abs=1e-6)


def test_a_saved_model_can_be_evaluated_by_its_file() -> None:
    config = Config("SASRec", "shop", config_dict=SMALL)
    train_data, valid_data, test_data = data_preparation(config, create_dataset(config))
    first = Trainer(config, get_model("SASRec")(config, train_data.dataset))
    first.fit(train_data, valid_data)
    other = Trainer(config, get_model("SASRec")(config, train_data.dataset))
    with pytest.raises(SettingsError, match="the model is not trained yet; call fit"):
        other.evaluate(test_data)
    expected = first.evaluate(test_data)
    assert other.evaluate(test_data, model_file=first.saved_model_file) == expected


def test_mismatched_arguments_are_refused() -> None:
    config = Config("SASRec", "shop", config_dict=SMALL)
    dataset = create_dataset(config)
    train_data, _, _ = data_preparation(config, dataset)
    _, other_valid, _ = data_preparation(config, dataset)
    with pytest.raises(SettingsError, match="the config is for SASRec, but the model is GRU4Rec"):
        get_model("GRU4Rec")(config, dataset)
    trainer = Trainer(config, get_model("SASRec")(config, dataset))
    with pytest.raises(SettingsError, match="must come from one call of data_preparation"):
        trainer.fit(train_data, other_valid)
    with pytest.raises(SettingsError, match="must be the validation or test part"):
        trainer.evaluate(dataset, load_best_model=False)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("from recbole.quick_start.quick_start import run_recbole, run", ""),
        ("from recbole.config.configurator import Config", ""),
        ("from recbole.data.utils import create_dataset, data_preparation", ""),
        ("from recbole.utils.utils import get_model, get_trainer, init_seed", ""),
        ("from recbole.utils.logger import init_logger", ""),
        ("from recbole.trainer.trainer import Trainer", ""),
        ("from recbole.trainer.hyper_tuning import HyperTuning", ""),
        ("from recbole.quick_start import *", ""),
        ("import recbole; assert recbole.__version__ == '1.2.1'", ""),
        ("import recbole; recbole.config.Config", ""),
        ("from recbole.model.sequential_recommender import BERT4Rec, Caser, FPMC, TransRec", ""),
        ("from recbole.model.sequential_recommender import STAMP", "use GRU4Rec instead"),
        ("from recbole.model.sequential_recommender.s3rec import S3Rec", "use SASRec instead"),
        ("from recbole.model.general_recommender import LightGCN", "use BPR instead"),
        ("from recbole.model.context_aware_recommender import DeepFM", "no recbole.model.context"),
        ("from recbole.data import Interaction", "no recbole.data.Interaction; this module has cr"),
    ],
)
def test_names_exist_or_are_reported_as_missing(line: str, text: str) -> None:
    Path("run.py").write_text(line + "\n")
    if not text:
        run_script("run.py", [])
        return
    with pytest.raises(SettingsError, match=text):
        run_script("run.py", [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("S3Rec", "'S3Rec'; this model of RecBole is not available here, use SASRec instead"),
        ("sasrecf", "use SASRec instead"),
        ("NARM", "use GRU4Rec instead"),
        ("LightGCN", "use BPR instead"),
        ("Pop", "it is not trained, and every run already reports a popularity baseline"),
        ("DeepFM", "it needs features of users and items, which no model here supports"),
        ("SASRek", "did you mean 'SASRec'"),
    ],
)
def test_an_unsupported_recbole_model_is_reported(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        run_recbole(name, "shop")


@pytest.mark.parametrize("split", [{"RS": [0.6, 0.2, 0.2]}, {"TS": [0.6, 0.2, 0.2]}])
def test_sampled_ranking_of_several_cases_a_user_has_all_metrics(split: dict[str, object]) -> None:
    values = {
        **SMALL,
        "eval_args": {"split": split, "order": "TO", "mode": "uni9"},
        "metrics": ["Recall", "GAUC", "ItemCoverage"],
        "valid_metric": "Recall@5",
        "topk": [5],
    }
    result = run_recbole("SASRec", "shop", config_dict=values, saved=False)
    assert set(result["test_result"]) == {"recall@5", "gauc", "itemcoverage@5"}
    assert 0.5 < result["test_result"]["gauc"] <= 1
