"""MovieLens-100K as RecBole 1.2.1 prepares it, under twelve configurations in its own format.

``golden/data_pipeline.json`` holds users, items, cases of each split and sample cases.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from sasrec.data.batches.batching import Collator
from sasrec.data.batches.training_batches import TrainingBatches
from sasrec.data.corpus import Corpus
from sasrec.data.make_split import make_split
from sasrec.data.sources import load_corpus
from sasrec.data.splits import Split
from sasrec.settings.files import Layer
from sasrec.settings.origin import Origin
from sasrec.settings.resolve import resolve_layers

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "data_pipeline.json").read_text())
UNSTABLE = {"rm_dup"}
"""Here RecBole sorts by time with an unstable sort, so simultaneous events are in any order."""


def prepared(config: dict[str, object]) -> tuple[Corpus, Split, int]:
    run = resolve_layers([Layer(Origin("python", "config_dict"), config)], preset="recbole")
    corpus = load_corpus("ml-100k", run.data)
    return corpus, make_split(corpus, run.evaluation), run.data.max_history


def cases(split: Split, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return users (from 0) and indices of the targets of a part."""
    if part == "train":
        counts = split.train_stops - split.train_starts
        users = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
        return users, split.train_starts[users] + within
    chosen = split.validation if part == "valid" else split.test
    return chosen.users - 1, chosen.stops


def history_of(corpus: Corpus, user: int, stop: int, longest: int) -> list[str]:
    begin = max(corpus.sequences.offsets[user], stop - longest)
    return corpus.items.tokens(corpus.sequences.items[begin:stop])


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.usefixtures("ml100k")
def test_data_are_prepared_like_in_recbole(name: str) -> None:
    expected = GOLDEN[name]
    corpus, split, longest = prepared(expected["config"])
    assert (len(corpus.users), len(corpus.items)) == (expected["users"], expected["items"])
    for part in ("train", "valid", "test"):
        users, stops = cases(split, part)
        if expected[part] is None:
            assert len(stops) == 0
            continue
        lengths = np.minimum(stops - corpus.sequences.offsets[users], longest)
        assert len(stops) == expected[part]["cases"]
        assert lengths.sum() == expected[part]["history_length_sum"]
        assert lengths.max() == expected[part]["history_length_max"]
        for case in expected[part]["examples"]:
            user = int(corpus.users.numbers([case["user"]])[0]) - 1
            found = [
                [*history_of(corpus, user, stop, longest), target_at(corpus, stop)]
                for stop in stops[users == user]
            ]
            expected_case = [*case["history"], case["target"]]
            if name in UNSTABLE:
                known = times_of(corpus, user)
                wanted = [known[item] for item in expected_case]
                assert wanted in [[known[item] for item in ours] for ours in found]
            else:
                assert expected_case in found


def target_at(corpus: Corpus, stop: int) -> str:
    return corpus.items.tokens(corpus.sequences.items[[stop]])[0]


def times_of(corpus: Corpus, user: int) -> dict[str, float]:
    """Return the time of each item of a user; each item occurs once, as repetitions are removed.

    Two cases whose items have equal times, one by one, differ only in the order of simultaneous
    events. Times are compared as RecBole compares them (``rounded_times``).
    """
    own = slice(corpus.sequences.offsets[user], corpus.sequences.offsets[user + 1])
    assert corpus.sequences.times is not None
    times = corpus.sequences.times
    scaled = ((times[own] - times.min()) / (times.max() - times.min())).astype(np.float32)
    tokens = corpus.items.tokens(corpus.sequences.items[own])
    assert len(set(tokens)) == len(tokens)
    return dict(zip(tokens, scaled.tolist(), strict=True))


@pytest.mark.usefixtures("ml100k")
def test_defaults_supervise_97171_targets() -> None:
    _, split, longest = prepared({})
    assert split.n_targets == 97_171
    batches = TrainingBatches(split, longest, longest // 2, 2048, Collator(split.sequences))
    epoch = list(batches.epoch(np.random.default_rng(0)))
    assert sum(int((batch.targets > 0).sum()) for batch in epoch) == 97_171
