"""Training in several processes: the same result as in one, and errors end all of them."""

import socket
from dataclasses import replace

import numpy as np
import pytest
import torch

from sasrec.data.sources import load_corpus
from sasrec.data.splits import leave_one_out
from sasrec.errors import DataError, SasrecError, SettingsError
from sasrec.experiment.fitting import training_batches
from sasrec.experiment.run import run_experiment
from sasrec.settings.resolve import resolve_settings
from sasrec.system.process_group import ProcessGroup, run_in_processes
from sasrec.system.processes import process_info
from sasrec.training.progress import LogObserver

SETTINGS = {
    "hidden_size": 16,
    "inner_size": 16,
    "n_layers": 1,
    "n_heads": 1,
    "hidden_dropout_prob": 0.0,
    "attn_dropout_prob": 0.0,
    "batch_size": 64,
    "precision": "float32",
    "epochs": 2,
    "clip_norm": 1.0,
    "device": "cpu",
}


def trained():
    """Return the weights, losses and rank of a small training."""
    settings = resolve_settings(SETTINGS)
    corpus = load_corpus("synthetic:users=60,items=20,length=9", settings.data)
    outcome = run_experiment(corpus, settings, observer=LogObserver())
    weights = {key: value.numpy() for key, value in outcome.recommender.model.state_dict().items()}
    epochs = outcome.trained.epochs
    return weights, [(each.loss, each.targets, each.score) for each in epochs], process_info().rank


def fails_in_the_second():
    if process_info().rank == 1:
        raise DataError("the second process found no data")
    trained()


def long_answer():
    return "x" * 2**20


def free_port():
    with socket.socket() as door:
        door.bind(("localhost", 0))
        return str(door.getsockname()[1])


def two_processes():
    return ProcessGroup(here=2, world=2, offset=0, address="localhost", port=free_port())


@pytest.mark.slow
def test_two_processes_train_like_one():
    weights, epochs, rank = run_in_processes(trained, (), two_processes())
    alone, expected, _ = trained()
    assert rank == 0
    for (loss, targets, score), (own_loss, own_targets, own_score) in zip(
        epochs, expected, strict=True
    ):
        assert loss == pytest.approx(own_loss, rel=1e-5)
        assert targets == own_targets
        assert score == pytest.approx(own_score, abs=0.02)
    for key, value in alone.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_an_error_in_one_process_ends_all_and_is_reported():
    with pytest.raises(DataError, match="the second process found no data"):
        run_in_processes(fails_in_the_second, (), two_processes())


def test_a_taken_port_is_reported():
    with socket.socket() as door:
        door.bind(("localhost", 0))
        door.listen()
        port = str(door.getsockname()[1])
        group = ProcessGroup(here=1, world=1, offset=0, address="localhost", port=port)
        with pytest.raises(SasrecError, match="choose another free port"):
            run_in_processes(trained, (), group)


@pytest.mark.parametrize(
    ("here", "world", "offset", "port", "text"),
    [
        (0, 1, 0, "5678", "nproc 0 and group_offset 0 do not fit"),
        (2, 2, 1, "5678", "nproc 2 and group_offset 1 do not fit into world_size 2"),
        (2, 2, 0, "http", "port is 'http'"),
        (2, 2, 0, "70000", "port is '70000'"),
    ],
)
def test_an_impossible_process_group_is_refused(here, world, offset, port, text):
    with pytest.raises(SettingsError, match=text):
        ProcessGroup(here=here, world=world, offset=offset, address="localhost", port=port)


def test_an_unknown_host_is_refused():
    for address in ("no.such.host.invalid", "", "a b/c?"):
        with pytest.raises(SettingsError, match="cannot be resolved"):
            ProcessGroup(here=2, world=2, offset=0, address=address, port="5678")


def test_shares_of_a_batch_add_up_to_the_batch():
    settings = resolve_settings({**SETTINGS, "batch_size": 30})
    corpus = load_corpus("synthetic:users=7,items=9,length=9", settings.data)
    whole = training_batches(leave_one_out(corpus.sequences), settings)
    shares = [replace(whole, rank=rank, processes=3) for rank in range(3)]
    epochs = [list(each.epoch(np.random.default_rng(3))) for each in [whole, *shares]]
    assert len({len(epoch) for epoch in epochs}) == 1
    for batch, *parts in zip(*epochs, strict=True):
        targets = torch.cat([part.targets for part in parts])
        assert sorted(batch.targets[batch.targets > 0].tolist()) == sorted(
            targets[targets > 0].tolist()
        )


def test_an_answer_longer_than_a_pipe_holds_arrives():
    assert run_in_processes(long_answer, (), two_processes()) == "x" * 2**20
