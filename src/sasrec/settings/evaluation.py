"""Settings of evaluation: which events are kept back, and what is measured against what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sasrec.settings.fields import Settings, recbole

CANDIDATES = r"^(full|(uni|pop|paper)[1-9][0-9]{0,4})$"
CutOff = Annotated[int, Field(gt=0, le=100_000)]
MetricName = Annotated[str, StringConstraints(to_lower=True, strip_whitespace=True, min_length=1)]


def _listed(value: Any) -> Any:
    """Return ``topk: 10`` and ``metrics: ndcg,map`` as lists; RecBole takes single values too."""
    if isinstance(value, str):
        return tuple(value.split(","))
    return (value,) if isinstance(value, int) else value


SPLIT_KEYS = ("split", "leave_out", "ratios", "ratio_by")
"""Settings of evaluation that say which events train."""


class EvaluationSettings(Settings):
    """What is measured, and how it is printed."""

    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(_listed)] = Field(
        ("recall", "mrr", "ndcg", "hit", "precision"), min_length=1
    )
    """Names of the metrics to report."""
    topk: Annotated[tuple[CutOff, ...], BeforeValidator(_listed)] = Field((10,), min_length=1)
    """Cut-offs K at which each metric is reported."""
    valid_metric: MetricName = "ndcg@20"
    """The metric early stopping watches, as NAME@K. It may be another than those reported; a deep
    cut-off hears more of the cases."""
    split: Literal["leave_one_out", "ratio", "time", "recbole_time"] = "leave_one_out"
    """How targets are kept back: each user's last ones; by shares; by shares at two moments that
    are the same for all users (time); or by RecBole's TS, whose validation is not later than its
    training (recbole_time)."""
    leave_out: Literal["valid_and_test", "valid_only", "test_only"] = "valid_and_test"
    """With leave_one_out: which of the two kinds of targets are kept back."""
    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """With all splits but leave_one_out: shares of training, validation and test; they need not sum
    to one."""
    ratio_by: Literal["user", "all"] = "user"
    """With ratio: of each user's targets, or of all targets in the order of time."""
    candidates: Annotated[str, StringConstraints(pattern=CANDIDATES)] = "full"
    """Against which items a target is ranked: full (all), uni100 (100 drawn evenly), pop100 (100
    drawn by popularity) or paper100 (as the code of 2018: 100 drawn outside the user's training
    events, one drawn twice counts twice, ties do not count). Figures of these are not comparable
    with each other, least of all with full ones."""
    valid_candidates: Annotated[str, StringConstraints(pattern=CANDIDATES)] | None = None
    """The same for validation; None takes that of the test."""
    sampled_by: Literal["case", "user"] = "case"
    """With sampled candidates: rank each case by itself, or put all cases of a user into one list
    with several targets, as RecBole does; the same where a user has one case."""
    remove_seen: bool = False
    """Rank a target among the items its user has not met; one met before counts as ranked last.
    Off, as in RecBole, all items are ranked. Figures of the two are not comparable."""
    tail_ratio: Annotated[float, BeforeValidator(lambda value: 0.1 if value is None else value)] = (
        Field(0.1, gt=0, allow_inf_nan=False)
    )
    """With tailpercentage: the share of the items, rarest first, that are the tail; above 1, the
    most training events an item of the tail has."""
    decimals: int = Field(4, ge=0, le=15, json_schema_extra=recbole("metric_decimal_place"))
    """Decimal places of printed metrics; saved values are not rounded."""

    @model_validator(mode="after")
    def _shares_are_shares(self) -> EvaluationSettings:
        if not all(0 <= share < float("inf") for share in self.ratios) or not self.ratios[0]:
            raise ValueError(
                f"ratios are {list(self.ratios)}; shares are finite numbers from 0, and that of "
                "training is above 0"
            )
        return self

    @model_validator(mode="after")
    def _seen_items_are_removed_from_all(self) -> EvaluationSettings:
        if self.remove_seen and {self.candidates, self.validated_against} != {"full"}:
            raise ValueError("remove_seen needs full ranking; sampled candidates are as drawn")
        return self

    @property
    def validated_against(self) -> str:
        """What validation targets are ranked against."""
        return self.candidates if self.valid_candidates is None else self.valid_candidates
