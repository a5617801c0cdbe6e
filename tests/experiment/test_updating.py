"""sasrec.update: new events, items and people, honest splits, replay, lineage."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import sasrec
from sasrec.errors import DataError, ModelError, SettingsError
from sasrec.recommender.lineage import latest_time, steps_of
from sasrec.training.progress import EpochResult, LogObserver

SMALL = {"epochs": 3, "hidden_size": 8, "inner_size": 8, "n_layers": 1, "n_heads": 1, "seed": 1}
NAMES = ["user_id", "item_id", "timestamp"]
START = 1_700_000_000


def events(users: range, steps: range, n_items: int = 12, prefix: str = "i") -> pl.DataFrame:
    """Return events of users who walk round the items, one event at each step."""
    rows = [
        (f"u{user}", f"{prefix}{(user + step) % n_items}", START + 100 * step + user)
        for user in users
        for step in steps
    ]
    return pl.DataFrame(rows, schema=NAMES, orient="row")


OLD, NEW = events(range(20), range(8)), events(range(25), range(8, 12), n_items=14)


@pytest.fixture(scope="module")
def shop() -> sasrec.Recommender:
    return sasrec.train(OLD, SMALL)


@pytest.fixture(scope="module")
def updated(shop: sasrec.Recommender) -> sasrec.Updated:
    return sasrec.update(shop, NEW, history=OLD, split="none", epochs=2)


def weights_of(recommender: sasrec.Recommender) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in recommender.model.state_dict().items()}


def test_vocabulary_grows_and_known_items_keep_their_numbers(shop, updated):
    before, after = shop.items.entries.to_list(), updated.recommender.items.entries.to_list()
    assert after[: len(before)] == before
    assert set(after[len(before) :]) == {"i12", "i13"}
    step = updated.step
    assert (step["items_before"], step["items_added"]) == (12, 2)
    assert (
        len(updated.recommender.recommend([["i10", "i11"]], 14, exclude_seen=False)[0].items) == 14
    )


def test_popularity_counts_the_new_events_too(shop, updated):
    found = updated.recommender
    assert found.counts.sum() == shop.counts.sum() + NEW.height
    new = found.items.numbers(["i12", "i13"])
    counts = NEW["item_id"].value_counts()
    expected = [counts.filter(pl.col("item_id") == name)["count"][0] for name in ("i12", "i13")]
    assert found.counts[new].tolist() == expected
    assert not set(found.untrained) & {"i12", "i13"}
    assert found.recent is not None
    assert len(found.recent) == len(found.counts)


def test_the_profile_of_earlier_data_is_not_kept(shop, updated):
    assert "profile" in shop.metrics
    assert "profile" not in updated.recommender.metrics


def test_the_model_before_is_not_touched(shop):
    before, counts, metrics = weights_of(shop), shop.counts.copy(), dict(shop.metrics)
    sasrec.update(shop, NEW, history=OLD, split="none", epochs=1)
    after = weights_of(shop)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (shop.counts == counts).all()
    assert shop.metrics == metrics


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(shop, updated):
    again = sasrec.update(shop, NEW, history=OLD, split="none", epochs=2)
    first, second = weights_of(updated.recommender), weights_of(again.recommender)
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = weights_of(
        sasrec.update(shop, NEW, history=OLD, split="none", epochs=2, seed=2).recommender
    )
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_new_events_are_held_out_by_the_rule_of_the_training(shop):
    found = sasrec.update(shop, NEW, history=OLD)
    # 20 known and 5 new people have four new events each; leave-one-out holds out the last two.
    assert found.step["events_new"] == 100
    assert found.step["events_held_out"] == 50
    assert found.step["events_learned"] == 50
    assert found.report.test
    assert found.before.test.keys() == found.report.test.keys()


def test_what_was_held_out_before_is_not_replayed(shop):
    from sasrec.data.sources import load_corpus
    from sasrec.experiment.updating.merged import merged
    from sasrec.experiment.updating.splitting import split_for_update
    from sasrec.experiment.updating.steps import earlier_splits
    from sasrec.settings.data import DataSettings
    from sasrec.settings.evaluation import EvaluationSettings

    old, new = (load_corpus(each, DataSettings()) for each in (OLD, NEW))
    whole = merged(shop, new, old, latest=latest_time(shop.metrics))
    splits = earlier_splits(shop)
    kept = split_for_update(whole, EvaluationSettings(), splits).earlier
    every = split_for_update(whole, EvaluationSettings(split="none"), splits).earlier
    # Eight old events: the first is no target, and the last two were held out.
    assert kept.sum() == 20 * 5
    assert every.sum() == 20 * 7
    times = whole.corpus.sequences.times
    assert times[kept].max() < START + 100 * 6
    # After an update, what it held out is known too.
    later = sasrec.update(shop, NEW, history=OLD).recommender
    splits = earlier_splits(later)
    assert [each.latest for each in splits] == [OLD["timestamp"].max(), NEW["timestamp"].max()]
    third = events(range(25), range(12, 16), n_items=14)
    both = load_corpus(pl.concat([OLD, NEW]), DataSettings())
    whole = merged(
        later, load_corpus(third, DataSettings()), both, latest=latest_time(later.metrics)
    )
    kept = split_for_update(whole, EvaluationSettings(), splits).earlier
    assert kept.sum() == 20 * (5 + 2) + 5 * 1


def test_events_in_both_files_count_once(shop):
    whole = pl.concat([OLD, NEW])
    found = sasrec.update(shop, whole, history=OLD, split="none", epochs=1)
    assert found.step["events_new"] == NEW.height
    [remark] = [each for each in found.remarks if each.kind == "overlap"]
    assert remark.count == OLD.height
    assert "they count once, as history" in remark.text


def test_whole_histories_without_a_history_are_context(shop):
    found = sasrec.update(shop, pl.concat([OLD, NEW]), split="none", epochs=1)
    assert found.step["events_new"] == NEW.height
    assert found.step["targets_replayed"] > 0
    kinds = {each.kind: each for each in found.remarks}
    assert kinds["earlier_events"].count == OLD.height
    assert "no_history" in kinds


def test_without_any_history_the_remark_says_what_is_missing(shop):
    found = sasrec.update(shop, NEW, split="none", epochs=1)
    assert found.step["targets_replayed"] == 0
    [remark] = [each for each in found.remarks if each.kind == "no_history"]
    assert "without what they did before" in remark.text


def test_an_update_that_makes_validation_worse_keeps_the_weights(shop):
    found = sasrec.update(shop, NEW, history=OLD, epochs=1, learning_rate=30.0, averaging=0)
    [remark] = [each for each in found.remarks if each.kind == "not_better"]
    assert "kept as they were" in remark.text
    before, after = weights_of(shop), weights_of(found.recommender)
    rows = len(shop.items) + 1
    assert torch.equal(after["item_embedding.weight"][:rows], before["item_embedding.weight"])
    assert found.report.validation == found.before.validation


@pytest.mark.parametrize("name", ["SASRec", "GRU4Rec", "NextItNet", "Caser", "FPMC", "FMC", "BPR"])
def test_models_grow_by_items_and_people(name):
    settings = {"epochs": 1, "seed": 1, "split": "none"}
    before = sasrec.train(OLD, settings, model=name)
    found = sasrec.update(before, NEW, history=OLD, epochs=1)
    after = found.recommender
    lists = after.recommend(
        [["i10", "i11"]], 14, exclude_seen=False, users=["u3"] if before.model.uses_users else None
    )
    assert len(lists[0].items) == 14
    if before.users is not None:
        assert found.step["people_added"] == 5
        assert after.users.entries.to_list()[:20] == before.users.entries.to_list()
        assert after.people[1:].all()


def test_transrec_grows_too():
    before = sasrec.train(OLD, {"epochs": 1, "split": "none"}, model="TransRec")
    found = sasrec.update(before, NEW, history=OLD, epochs=1).recommender
    assert len(found.items) == 14


def test_a_model_that_masks_events_is_refused_by_name():
    settings = {"epochs": 1, "split": "none", "hidden_size": 8, "n_layers": 1, "n_heads": 1}
    before = sasrec.train(OLD, settings, model="BERT4Rec")
    with pytest.raises(ModelError, match="BERT4Rec cannot be updated: it masks events"):
        sasrec.update(before, NEW)


def test_new_people_are_known_to_models_with_user_vectors(tmp_path: Path):
    before = sasrec.train(OLD, {"epochs": 1, "split": "none", "seed": 1}, model="FPMC")
    found = sasrec.update(before, NEW, history=OLD, out=tmp_path / "new", epochs=1)
    again = sasrec.load(tmp_path / "new")
    assert again.users.entries.to_list() == found.recommender.users.entries.to_list()
    first, second = (
        each.recommend([["i3"]], 5, users=["u24"]) for each in (found.recommender, again)
    )
    assert first[0].items == second[0].items


def test_a_chain_of_updates_is_kept_in_the_lineage(shop, tmp_path: Path):
    shop.save(tmp_path / "a")
    later = events(range(25), range(12, 14), n_items=14)
    sasrec.update(tmp_path / "a", NEW, history=OLD, split="none", out=tmp_path / "b", epochs=1)
    sasrec.update(tmp_path / "b", later, history=NEW, out=tmp_path / "c", epochs=1)
    found = sasrec.load(tmp_path / "c")
    first, second = steps_of(found.metrics)
    assert first["model"] == str(tmp_path / "a")
    assert second["model"] == str(tmp_path / "b")
    assert len(first["digest"]) == len(second["digest"]) == 64
    assert first["events_learned"] == NEW.height
    assert second["events_learned"] == later.height
    assert second["latest_before"] == NEW["timestamp"].max()
    assert latest_time(found.metrics) == later["timestamp"].max()
    assert found.settings["training"] == shop.settings["training"]


def test_data_of_another_shop_are_refused_with_counts(shop):
    other = events(range(3), range(20, 24), prefix="other")
    with pytest.raises(DataError) as error:
        sasrec.update(shop, other)
    assert "knows none of the 6 items in the 12 new events, such as 'other8'" in str(error.value)
    assert "it knows 12 items" in str(error.value)


def test_data_that_end_before_those_of_the_model_are_refused(shop):
    with pytest.raises(DataError, match=r"the data end at 2023-.* and the model was made from"):
        sasrec.update(shop, OLD)
    with pytest.raises(DataError, match="give newer data"):
        sasrec.update(shop, OLD, history=OLD)


def test_nothing_is_left_to_learn_if_all_new_events_are_held_out(shop):
    single = events(range(20), range(8, 9))
    with pytest.raises(DataError, match=r"20 new events: all are held out .* --split=none"):
        sasrec.update(shop, single, history=OLD)
    assert sasrec.update(shop, single, history=OLD, split="none").step["events_learned"] == 20


def test_single_events_without_history_are_refused(shop):
    single = events(range(20), range(8, 9))
    with pytest.raises(DataError, match="nothing to train on"):
        sasrec.update(shop, single, split="none")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"hidden_size": 16}, "hidden_size was fixed when the model was trained"),
        ({"loss": "BPR"}, "loss was fixed"),
        ({"max_history": 3}, "max_history was fixed"),
        ({"preset": "paper"}, "preset was fixed"),
        ({"epcohs": 3}, "unknown key 'epcohs'"),
        ({"item_vectors": "x.npy"}, "item_vectors has no effect without a table of items"),
        ({"replay": -1}, "replay is -1"),
        ({"replay": True}, "replay is True"),
    ],
)
def test_a_setting_that_an_update_cannot_change_is_refused(shop, given, text):
    with pytest.raises(SettingsError, match=text):
        sasrec.update(shop, NEW, history=OLD, **given)


def test_a_date_splits_the_new_events(shop):
    begin = START + 100 * 10
    found = sasrec.update(shop, NEW, history=OLD, test_from=str(begin), valid_from=str(begin - 50))
    assert found.step["events_learned"] == NEW.filter(pl.col("timestamp") < begin - 50).height
    assert found.recommender.settings["evaluation"]["split"] == "time"


def test_shares_are_those_of_the_new_events():
    before = sasrec.train(OLD, {**SMALL, "split": "time"})
    found = sasrec.update(before, NEW, history=OLD)
    assert found.step["events_new"] == 100
    assert 15 <= found.step["events_held_out"] <= 25  # 20 %, but equal times stay together
    by_user = sasrec.train(OLD, {**SMALL, "split": "ratio"})
    assert sasrec.update(by_user, NEW, history=OLD).step["events_held_out"] == 50  # of 4: 1 and 1


def test_data_in_another_unit_or_without_times_are_refused(shop):
    with pytest.raises(DataError, match="milliseconds"):
        sasrec.update(shop, NEW.with_columns(pl.col("timestamp") * 1000), history=OLD)
    with pytest.raises(DataError, match="has no times, but the model's events had"):
        sasrec.update(shop, NEW.drop("timestamp"), history=OLD)
    with pytest.raises(DataError, match="The new data are read with the settings of the model"):
        sasrec.update(shop, NEW.rename({"item_id": "product"}), history=OLD)


def test_data_without_times_can_be_learned():
    old, new = OLD.drop("timestamp"), NEW.drop("timestamp")
    before = sasrec.train(old, SMALL)
    found = sasrec.update(before, new, history=old, split="none", epochs=1)
    assert found.step["events_new"] == NEW.height
    assert "overlap_unknown" in {each.kind for each in found.remarks}


def test_a_failed_update_leaves_nothing_behind(shop, tmp_path: Path):
    shop.save(tmp_path / "shop")
    names = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(DataError):
        sasrec.update(tmp_path / "shop", OLD, out=tmp_path / "new")
    with pytest.raises(ModelError, match="is the folder of the model itself"):
        sasrec.update(tmp_path / "shop", NEW, out=tmp_path / "shop", overwrite=True)
    (tmp_path / "shop" / "metrics.json").write_text("{}")
    with pytest.raises(ModelError, match="damaged or was edited"):
        sasrec.update(tmp_path / "shop", NEW, out=tmp_path / "new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == names
    with pytest.raises(ModelError, match="no such"):
        sasrec.update(tmp_path / "shopp", NEW, out=tmp_path / "new")


def test_item_columns_and_titles_of_new_items_are_added(tmp_path: Path):
    def table(numbers: Iterator[int] | range) -> pl.DataFrame:
        rows = [(f"i{n}", f"Title {n}", n * 1.5) for n in numbers]
        return pl.DataFrame(rows, schema=["item_id", "title", "price"], orient="row")

    before = sasrec.train(OLD, SMALL, items=table(range(12)), title_column="title")
    found = sasrec.update(
        before, NEW, history=OLD, items=table(range(10, 14)), epochs=1, split="none"
    )
    after = found.recommender
    assert after.titles["i13"] == "Title 13"
    assert after.item_columns.aligned(after.items)["price"].to_list() == [
        float(token[1:]) * 1.5 for token in after.items.entries
    ]
    after.save(tmp_path / "new")
    assert sasrec.load(tmp_path / "new").item_columns.values.height == 14
    bare = sasrec.update(before, NEW, history=OLD, epochs=1, split="none").recommender
    assert bare.item_columns.aligned(bare.items)["price"].null_count() == 2


def test_new_items_of_a_model_with_content_begin_from_it(tmp_path: Path):
    def table(numbers: range) -> pl.DataFrame:
        rows = [(f"i{n}", f"kind {n % 3}") for n in numbers]
        return pl.DataFrame(rows, schema=["item_id", "kind"], orient="row")

    settings = {**SMALL, "content_columns": "kind", "split": "none"}
    before = sasrec.train(OLD, settings, items=table(range(12)))
    found = sasrec.update(
        before, NEW, history=OLD, items=table(range(12, 15)), learning_rate=1e-9, epochs=1
    )
    after = found.recommender
    assert "i14" in after.items  # without an event, known by its content
    numbers = after.items.numbers(["i12", "i13", "i14"]).tolist()
    own = weights_of(after)["item_embedding.weight"][numbers]
    assert own[2].abs().max() == 0
    assert own.abs().max() < 1e-3 * weights_of(after)["item_embedding.weight"].abs().max() + 1.0
    has_events = weights_of(after)["content.data.has_events"][numbers]
    assert has_events.tolist() == [True, True, False]
    bare = sasrec.update(before, NEW, history=OLD, epochs=1).recommender
    assert len(bare.items) == 14
    assert len(bare.recommend([["i3"]], 14, exclude_seen=False)[0].items) == 14
    bare.save(tmp_path / "bare")
    assert len(sasrec.load(tmp_path / "bare").items) == 14


def test_evaluation_tells_what_the_updated_model_was_trained_on(shop, updated, tmp_path: Path):
    found = sasrec.evaluate(updated.recommender, pl.concat([OLD, NEW]), split="leave_one_out")
    assert found.overlap is not None
    assert found.overlap["test_targets"] == 1.0
    held = sasrec.update(shop, NEW, history=OLD, epochs=1).recommender
    found = sasrec.evaluate(held, pl.concat([OLD, NEW]))
    assert found.overlap is None or found.overlap["test_targets"] == 0.0


def test_a_model_without_the_latest_time_learns_what_is_not_in_the_history(shop):
    metrics = {key: value for key, value in shop.metrics.items() if key != "latest_time"}
    older = replace(shop, metrics=metrics)
    found = sasrec.update(older, NEW, history=OLD, split="none", epochs=1)
    assert found.step["events_new"] == NEW.height


def test_event_types_of_a_model_are_kept():
    typed = [
        each.with_columns(
            kind=pl.when(pl.int_range(pl.len()) % 3 == 0)
            .then(pl.lit("buy"))
            .otherwise(pl.lit("see"))
        )
        for each in (OLD, NEW)
    ]
    before = sasrec.train(typed[0], {**SMALL, "type_column": "kind"})
    found = sasrec.update(before, typed[1], history=typed[0], epochs=1)
    assert found.recommender.event_types == before.event_types
    other = typed[1].with_columns(kind=pl.lit("rent"))
    found = sasrec.update(before, other, history=typed[0], epochs=1)
    assert "unknown_types" in {each.kind for each in found.remarks}


def test_new_items_begin_near_the_items_beside_them():
    from sasrec.data.sequences import Sequences
    from sasrec.experiment.updating.beginnings import met_beside, with_beginnings

    # Items 1 and 2 are known; 3 is met beside 1 only, 4 beside 3 only, and 5 beside nothing.
    sequences = Sequences(np.array([1, 3, 4, 5], dtype=np.int32), None, np.array([0, 3, 4]))
    begins = np.array([False, False, False, True, True, True])
    beside = met_beside(sequences, np.ones(4, dtype=bool), begins)
    table = torch.zeros(6, 4)
    table[1], table[2] = torch.tensor([3.0, 0, 0, 0]), torch.tensor([0, 5.0, 0, 0])
    known = torch.tensor([False, True, True, False, False, False])
    found = with_beginnings(
        table,
        beside,
        known,
        begins=torch.from_numpy(begins),
        generator=torch.Generator().manual_seed(0),
    )
    assert torch.equal(found[:3], table[:3])
    cosine = torch.nn.functional.cosine_similarity
    assert cosine(found[3], table[1], dim=0) > 0.95  # noise is a tenth of the length
    assert cosine(found[4], table[1], dim=0) > 0.95
    assert cosine(found[5], table[1] + table[2], dim=0) > 0.95
    assert 2.5 < found[3].norm() < 3.5  # the median of 3 and 5 is the lower one


class Interrupting(LogObserver):
    """Interrupts a training after its second epoch."""

    def finished_epoch(self, result: EpochResult) -> None:
        if result.epoch == 2:
            raise KeyboardInterrupt


def test_the_optimiser_goes_on_from_the_checkpoint_of_an_interrupted_training(tmp_path: Path):
    sasrec.train(OLD, {**SMALL, "epochs": 9}, out=tmp_path / "shop", observer=Interrupting())
    assert (tmp_path / "shop.training.safetensors").is_file()
    found = sasrec.update(tmp_path / "shop", NEW, history=OLD, split="none", epochs=1)
    assert found.step["optimiser"] == "continued"
    (tmp_path / "shop").rename(tmp_path / "alone")
    anew = sasrec.update(tmp_path / "alone", NEW, history=OLD, split="none", epochs=1)
    assert anew.step["optimiser"] == "new"
    first, second = weights_of(found.recommender), weights_of(anew.recommender)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_moments_fit_a_model_with_more_rows():
    from sasrec.models.contract import Catalogue
    from sasrec.models.gru4rec import GRU4Rec, GRU4RecSettings
    from sasrec.settings.training import TrainingSettings
    from sasrec.training.checkpoint import TrainState
    from sasrec.training.flat import FlatWeights
    from sasrec.training.moments import moments_in, restore_moments
    from sasrec.training.optimisers import decay_groups, make_optimiser

    class Loop:
        def __init__(self, n_items: int) -> None:
            form = GRU4RecSettings(embedding_size=3, hidden_size=4)
            self.settings = TrainingSettings()
            self.model = GRU4Rec(form, Catalogue(n_items, 0, 5))
            self.flat = FlatWeights(*decay_groups(self.model, self.settings))
            decaying, rest = self.flat.groups
            self.optimiser = make_optimiser(decaying, self.settings, rest)

    small, large = Loop(2), Loop(4)
    torch.manual_seed(0)
    for weight in small.flat.weights:
        weight.grad = torch.randn_like(weight)
    small.optimiser.step()
    tensors = {
        f"optimiser.{index}.{part}": torch.as_tensor(value)
        for index, parts in small.optimiser.state_dict()["state"].items()
        for part, value in parts.items()
    }
    moments = moments_in(TrainState(tensors, {}), small.model, small.settings)
    restore_moments(moments, large)
    restored = large.optimiser.state_dict()["state"][0]
    table = restored["exp_avg_sq"][: 5 * 3].reshape(5, 3)
    assert torch.equal(table[:3], moments["item_embedding.weight"]["exp_avg_sq"])
    assert torch.allclose(table[3], table[1:3].mean(0))
    assert not restored["exp_avg"][3 * 3 : 5 * 3].any()
    own = moments["output.bias"]["exp_avg"]
    assert torch.equal(restored["exp_avg"][-len(own) :], own)
    assert float(restored["step"]) == 1
    assert moments_in(TrainState({}, {}), small.model, small.settings) == {}


def test_replay_draws_whole_histories_and_never_other_events():
    from sasrec.data.batches.replay import Replay, chosen_targets, with_replay
    from sasrec.data.sequences import Sequences
    from sasrec.data.splits import Cases, Split

    generator = np.random.default_rng(0)
    lengths = generator.integers(0, 9, size=40)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    total = int(offsets[-1])
    sequences = Sequences(np.ones(total, dtype=np.int32), None, offsets)
    stops = offsets[1:]
    none = Cases(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    new = generator.random(total) < 0.1
    new[offsets[:-1][lengths > 0]] = False
    earlier = ~new
    earlier[offsets[:-1][lengths > 0]] = False
    starts = np.minimum(offsets[:-1] + 1, stops)
    split = Split(sequences, starts, stops, validation=none, test=none, trains=new)
    for count in (1, 10, 50, 10_000):
        found = chosen_targets(with_replay(split, Replay(earlier, count), generator))
        assert (found & new).sum() == new.sum()
        replayed = found & ~new
        assert not (replayed & ~earlier).any()
        assert replayed.sum() >= min(count, earlier.sum())
        per_user = np.diff(np.concatenate(([0], np.cumsum(replayed)))[offsets])
        possible = np.diff(np.concatenate(([0], np.cumsum(earlier)))[offsets])
        assert ((per_user == 0) | (per_user == possible)).all()


def test_epochs_and_replay_follow_from_the_amounts():
    from sasrec.experiment.updating.amounts import Amounts, epochs_for, replayed

    few = Amounts(new=1000, earlier=100_000, trained=100_000, best_epoch=100)
    assert (replayed(few, None), epochs_for(few, 10_000)) == (9000, 8)
    more = Amounts(new=2200, earlier=75_000, trained=75_000, best_epoch=33)
    assert (replayed(more, None), epochs_for(more, 22_000)) == (19_800, 3)
    many = Amounts(new=50_000, earlier=100_000, trained=100_000, best_epoch=20)
    assert (replayed(many, None), epochs_for(many, 100_000)) == (50_000, 3)
    unknown = Amounts(new=10, earlier=20, trained=0)
    assert (replayed(unknown, None), epochs_for(unknown, 30)) == (20, 8)
    assert replayed(few, 2.0) == 2000
    assert replayed(few, 0) == 0
