"""Evaluation settings: how targets are held out, which items they are ranked against, metrics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sasrec.settings.fields import Settings, recbole, written_as
from sasrec.settings.registry import METRICS

CANDIDATES = r"full|(uni|pop|paper)[1-9][0-9]{0,4}"
CandidatesText = Annotated[
    str,
    written_as(CANDIDATES, "be full, uniN, popN or paperN, with N from 1 to 99999, such as uni100"),
]
CutOff = Annotated[int, Field(gt=0, le=100_000)]
MetricName = Annotated[str, StringConstraints(to_lower=True, strip_whitespace=True, min_length=1)]


def _listed(value: Any) -> Any:
    """Return ``topk: 10`` and ``metrics: ndcg,map`` as tuples; RecBole allows single values too."""
    if isinstance(value, str):
        return tuple(value.split(","))
    if isinstance(value, set | frozenset):  # a set has no order that is the same in every process
        return sorted(value, key=_place_in_list)
    return (value,) if isinstance(value, int) else value


def _place_in_list(value: Any) -> tuple[int, float, str]:
    """Return the sort key of a metric or cut-off: its place in the list of metrics, or its size."""
    number = float(value) if isinstance(value, int | float) else 0.0
    names = list(METRICS)
    place = names.index(value) if value in names else len(names)
    return place, number, str(value)


SPLIT_KEYS = ("split", "leave_out", "ratios", "ratio_by")
"""Evaluation settings that decide which events are used for training."""


class EvaluationSettings(Settings):
    """How targets are held out and ranked, and which metrics are reported."""

    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(_listed)] = Field(
        ("recall", "mrr", "ndcg", "hit", "precision"), min_length=1
    )
    """Names of the metrics to report."""
    topk: Annotated[tuple[CutOff, ...], BeforeValidator(_listed)] = Field((10,), min_length=1)
    """Cut-offs K at which each metric is reported."""
    valid_metric: MetricName = "ndcg@20"
    """The metric for early stopping, as NAME@K. It need not be one of the reported metrics; a
    larger K uses more cases and is less noisy."""
    split: Literal["leave_one_out", "ratio", "time", "recbole_time"] = "leave_one_out"
    """How targets are held out. leave_one_out: the last events of each user. ratio: by shares of
    the events. time: by shares, at two timestamps that are the same for all users. recbole_time:
    RecBole's TS, in which validation events are not later than training events."""
    leave_out: Literal["valid_and_test", "valid_only", "test_only"] = "valid_and_test"
    """With leave_one_out: which targets to hold out."""
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """With all splits except leave_one_out: shares of training, validation and test; they need not
    sum to one."""
    ratio_by: Literal["user", "all"] = "user"
    """With ratio: whether the shares are of each user's targets, or of all targets in order of
    time."""
    candidates: CandidatesText = "full"
    """Items a target is ranked against: full (all), uni100 (100 drawn uniformly), pop100 (100 drawn
    by popularity) or paper100 (as in the SASRec code of 2018: 100 drawn from items outside the
    user's training events; an item drawn twice counts twice, ties are not counted against the
    target). Results with different candidates are not comparable, least of all with full
    ranking."""
    valid_candidates: CandidatesText | None = None
    """Candidates for validation; None uses those of the test."""
    sampled_by: Literal["case", "user"] = "case"
    """With sampled candidates: rank each case separately (case), or rank all targets of a user in
    one list, as RecBole does (user). There is no difference if each user has one case."""
    remove_seen: bool = False
    """Rank a target only among items the user has not seen before; a target that was seen before is
    ranked last. False, as in RecBole, ranks all items. Results of the two are not comparable."""
    tail_ratio: Annotated[float, BeforeValidator(lambda value: 0.1 if value is None else value)] = (
        Field(0.1, gt=0, allow_inf_nan=False)
    )
    """With tailpercentage: the share of the items, least frequent first, that form the tail; a
    value above 1 is the largest number of training events that an item of the tail may have."""
    decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("metric_decimal_place"))
    """Decimal places of printed metrics; saved values are not rounded."""

    @model_validator(mode="after")
    def _shares_are_shares(self) -> EvaluationSettings:
        if not all(0 <= share < float("inf") for share in self.ratios) or not self.ratios[0]:
            raise ValueError(
                f"ratios are {list(self.ratios)}; shares must be finite and not negative, and the "
                "share of training must be above 0"
            )
        return self

    @model_validator(mode="after")
    def _seen_items_are_removed_from_all(self) -> EvaluationSettings:
        if self.remove_seen and {self.candidates, self.validation_candidates} != {"full"}:
            raise ValueError(
                "remove_seen only works with full ranking, not with sampled candidates; set "
                "candidates to 'full' or remove_seen to False"
            )
        return self

    @property
    def validation_candidates(self) -> str:
        """Candidates that validation targets are ranked against."""
        return self.candidates if self.valid_candidates is None else self.valid_candidates
