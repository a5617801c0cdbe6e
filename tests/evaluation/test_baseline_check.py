"""A model that ranks worse than a baseline gets a remark."""

import numpy as np

from sasrec.evaluation.baseline_check import worse_than_counts
from sasrec.evaluation.report import Report


def report(model: str, ranks: list[int], part: str = "test") -> Report:
    return Report(model, {}, {}, "", {}, {part: np.array(ranks)})


def test_a_model_below_a_baseline_is_reported_with_both_values() -> None:
    counts = [report("Popularity", [9, 9]), report("Markov", [1, 1])]
    [remark] = worse_than_counts([report("SASRec", [2, 9]), *counts], "hit@1")
    assert remark.kind == "worse_than_counts"
    assert (
        "SASRec ranks worse than the Markov baseline: hit@1 on test is 0.0000, below 1"
        in remark.text
    )
    both = [report("Popularity", [1, 2]), report("Markov", [1, 1])]
    [remark] = worse_than_counts([report("SASRec", [2, 9]), *both], "hit@1")
    assert "the Popularity and Markov baselines: " in remark.text
    assert "is 0.0000, below 0.5000 and 1.0000; check the data" in remark.text
    assert worse_than_counts([report("SASRec", [1, 1]), *counts], "hit@1") == ()


def test_metrics_without_a_value_per_case_are_replaced() -> None:
    both = [report("SASRec", [5]), report("Markov", [1])]
    for watched, key in (("giniindex@5", "ndcg@5"), ("gauc", "ndcg@10")):
        assert key in worse_than_counts(both, watched)[0].text


def test_a_metric_of_the_tables_is_compared() -> None:
    def compared_by(watched: str, *shown: str) -> str:
        own = Report("SASRec", {}, dict.fromkeys(shown, 0.0), "", {}, {"test": np.array([15])})
        [remark] = worse_than_counts([own, report("Markov", [1])], watched)
        return remark.text.partition(": ")[2].split()[0]

    assert compared_by("ndcg@20", "recall@10", "ndcg@10") == "ndcg@10"
    assert compared_by("ndcg@20", "recall@10", "ndcg@10", "ndcg@20") == "ndcg@20"
    assert compared_by("ndcg@20", "gauc", "recall@10") == "recall@10"
    assert compared_by("ndcg@20", "gauc") == "ndcg@20"


def test_validation_is_compared_if_there_are_no_test_cases() -> None:
    both = [report("SASRec", [5], "validation"), report("Markov", [1], "validation")]
    assert "on validation" in worse_than_counts(both, "mrr@10")[0].text
    assert worse_than_counts([report("SASRec", []), report("Markov", [])], "mrr@10") == ()
