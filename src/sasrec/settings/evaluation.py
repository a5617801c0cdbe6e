"""Evaluation settings: how targets are held out, which items they are ranked against, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sasrec.settings.event_types import TargetTypeSettings
from sasrec.settings.fields import recbole, written_as
from sasrec.settings.recent_window import RecentWindowSettings
from sasrec.settings.registry import METRICS
from sasrec.settings.time_point import time_text

CANDIDATES = r"full|(uni|pop|paper)[1-9][0-9]{0,4}"
CandidatesText = Annotated[
    str,
    written_as(CANDIDATES, "be full, uniN, popN or paperN, with N from 1 to 99999, such as uni100"),
]
CutOff = Annotated[int, Field(gt=0, le=100_000)]
PointInTime = Annotated[str | None, BeforeValidator(time_text)]
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


SPLIT_KEYS = (
    "split",
    "leave_out",
    "ratios",
    "ratio_by",
    "test_from",
    "valid_from",
    "period_targets",
    "target_types",
    "train_target_types",
)
"""Evaluation settings that decide which events are used for training."""


class EvaluationSettings(TargetTypeSettings, RecentWindowSettings):
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
    split: Literal["leave_one_out", "ratio", "time", "recbole_time", "none"] = "leave_one_out"
    """How targets are held out. leave_one_out: the last events of each user. ratio: by shares of
    the events. time: at two points in time that are the same for all users, given by shares, or by
    test_from and valid_from. recbole_time: RecBole's TS, in which validation events are not
    necessarily later than all training events. none: train on all events, without validation and
    test; epochs must be set."""
    leave_out: Literal["valid_and_test", "valid_only", "test_only"] = "valid_and_test"
    """With leave_one_out: which targets to hold out."""
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """With all splits except leave_one_out: shares of training, validation and test; they need not
    sum to one."""
    ratio_by: Literal["user", "all"] = "user"
    """With ratio: whether the shares are of each user's targets, or of all targets in order of
    time."""
    test_from: PointInTime = None
    """Test on the events from this point in time on (implies split=time): a date such as
    2024-05-31, a number in the unit of the times, or a period before the last event, such as 7d."""
    valid_from: PointInTime = None
    """Validate on the events from this point in time until test_from (implies split=time). By
    default, validation has the same length as the test. Without test_from, there is no test."""
    period_targets: Literal["all", "first", "last"] = "all"
    """With test_from or valid_from: which events of a user in each period are targets; each is
    predicted from all events before it."""
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

    @model_validator(mode="before")
    @classmethod
    def _points_in_time_imply_a_split_by_time(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "split" in values:
            return values
        by_time = any(values.get(key) is not None for key in ("test_from", "valid_from"))
        return {**values, "split": "time"} if by_time else values

    @model_validator(mode="after")
    def _points_in_time_need_a_split_by_time(self) -> EvaluationSettings:
        given = [key for key in ("test_from", "valid_from") if getattr(self, key) is not None]
        if given and self.split != "time":
            raise ValueError(
                f"{given[0]} needs split=time, but split is {self.split}; set split=time, or "
                f"remove {given[0]}"
            )
        return self

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
        if self.removes_seen and {self.candidates, self.validation_candidates} != {"full"}:
            key, off = ("seen_types", "None") if self.seen_types else ("remove_seen", "False")
            raise ValueError(
                f"{key} only works with full ranking, not with sampled candidates; set "
                f"candidates to 'full' or {key} to {off}"
            )
        return self

    @model_validator(mode="after")
    def _paper_candidates_are_of_a_case(self) -> EvaluationSettings:
        for key in ("candidates", "valid_candidates"):
            value = getattr(self, key)
            if self.sampled_by == "user" and value is not None and value.startswith("paper"):
                raise ValueError(
                    f"{key} is {value!r}, which is drawn for each case, but sampled_by is 'user'; "
                    f"set sampled_by to 'case', or {key} to 'uni100'"
                )
        return self

    @property
    def removes_seen(self) -> bool:
        """Whether items of earlier events, of all or of some types, are removed from rankings."""
        return self.remove_seen or self.seen_types is not None

    @property
    def has_dates(self) -> bool:
        """Whether the split is at points in time that the user named."""
        return self.test_from is not None or self.valid_from is not None

    @property
    def validation_candidates(self) -> str:
        """Candidates that validation targets are ranked against."""
        return self.candidates if self.valid_candidates is None else self.valid_candidates


def split_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that decide which events train, with defaults for those that lack.

    Args:
        values: Evaluation settings as saved with a model; older versions have fewer.

    Returns:
        Setting to value.
    """
    default = EvaluationSettings().model_dump(mode="json")
    return {key: values.get(key, default[key]) for key in SPLIT_KEYS}
