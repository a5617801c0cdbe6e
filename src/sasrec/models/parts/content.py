"""Content in item vectors: what is known about an item, added to what was learned from its events.

    content[v] = sum over attributes a of v of  weight[v, a] x A[a]  +  W numbers[v]
    sum:   vector[v] = E[v] + content[v]
    gate:  vector[v] = g x E[v] + (1 - g) x content[v],  g = sigmoid(w . [E[v], content[v]] + b)

A is a table of learned attribute vectors, and E the table of item vectors. An item without a
training event has no row in E that means anything, so its vector is its content alone. To make
content useful on its own, training hides E[v] of some items in each step (``id_dropout_prob``), as
DropoutNet does (Volkovs, Yu & Poutanen 2017).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sasrec.data.content.encoded import EncodedContent
from sasrec.kernels.lookup import rows_of
from sasrec.settings.fields import Settings


class ContentForm(Settings):
    """How a model combines the content of items with the vectors learned from their events."""

    content_mix: Literal["sum", "gate"] = "sum"
    """With content: add content to the item vector (sum), or let the model learn for each item how
    much each of them counts (gate)."""
    id_dropout_prob: float = Field(0.2, ge=0, lt=1)
    """With content: probability of hiding the vector learned from an item's events in a training
    step, so that the item is known by its content only. Needed for items without events, as
    candidates and in histories; 0 is more accurate if every item has events."""


class MixedTables(nn.Module):
    """Item vectors at the input and at the output of a model, learned from events and content."""

    def __init__(
        self, content: EncodedContent, width: int, form: ContentForm, *, tied: bool
    ) -> None:
        """Create the tables with random vectors from PyTorch's default generator.

        Args:
            content: Attributes and numbers of the items.
            width: d.
            form: How content is combined with vectors learned from events.
            tied: Whether input and output share their vectors.
        """
        super().__init__()
        self.data = ContentData(content)
        self.at_input = ContentTable(content, width, form)
        if not tied:
            self.at_output = ContentTable(content, width, form)
        self._tied = tied
        self._of_step: Tensor | None = None

    def input(self, learned: Tensor, items: Tensor) -> Tensor:
        """Return the vectors of events.

        Args:
            learned: float [V, d], the vectors learned from events.
            items: int64 [P].

        Returns:
            float [P, d].
        """
        if not self.training:
            return self.at_input.rows(learned, self.data, items)
        table = self.at_input.training_table(learned, self.data)
        self._of_step = table if self._tied else None
        return rows_of(table, items)

    def output(self, learned: Tensor) -> Tensor:
        """Return the vectors to multiply with states.

        In training, these are the vectors of the input of the same step if both are tied.

        Args:
            learned: float [V, d], the vectors learned from events.

        Returns:
            float [V, d].
        """
        at_output = self.at_input if self._tied else self.at_output
        if not self.training:
            return at_output.table(learned, self.data)
        table, self._of_step = self._of_step, None
        return at_output.training_table(learned, self.data) if table is None else table


class ContentData(nn.Module):
    """Attributes and numbers of all items, in buffers, so that they are saved with the weights."""

    attributes: Tensor
    offsets: Tensor
    weights: Tensor
    numbers: Tensor
    has_events: Tensor

    def __init__(self, content: EncodedContent) -> None:
        """Keep the content.

        Args:
            content: Attributes and numbers of the items.
        """
        super().__init__()
        for name in ("attributes", "offsets", "weights", "numbers", "has_events"):
            self.register_buffer(name, getattr(content, name))
        self._by_attribute: tuple[Tensor, Tensor, Tensor] | None = None

    def bags_of(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the attributes of some items: attributes, where each item's begin, and weights.

        Args:
            items: int64 [n].
        """
        begins, lengths = self.offsets[items], self.offsets[items + 1] - self.offsets[items]
        ends = lengths.cumsum(0)
        shifts = torch.repeat_interleave(begins - ends + lengths, lengths)
        entries = shifts + torch.arange(len(shifts), device=shifts.device)
        return self.attributes[entries], ends - lengths, self.weights[entries]

    def items_by_attribute(self, n_attributes: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the items of each attribute: items, where each attribute's begin, and weights.

        Args:
            n_attributes: Number of different attributes.
        """
        found = self._by_attribute
        if found is None or found[0].device != self.attributes.device:
            lengths = self.offsets.diff()
            items = torch.arange(len(lengths), device=lengths.device)
            order = self.attributes.argsort(stable=True)
            counts = torch.bincount(self.attributes, minlength=n_attributes)
            owners = torch.repeat_interleave(items, lengths)[order]
            found = (owners, counts.cumsum(0) - counts, self.weights[order])
            self._by_attribute = found
        return found


class ContentTable(nn.Module):
    """Vectors of items from their content, and how they are combined with learned ones."""

    def __init__(self, content: EncodedContent, width: int, form: ContentForm) -> None:
        """Create the table with random vectors from PyTorch's default generator.

        Args:
            content: Number of attributes, and of numbers.
            width: d.
            form: How content is combined with vectors learned from events.
        """
        super().__init__()
        self.form = form
        n_numbers = content.numbers.shape[1]
        self.attribute_vectors = (
            nn.Embedding(content.n_attributes, width) if content.n_attributes else None
        )
        self.from_numbers = nn.Linear(n_numbers, width, bias=False) if n_numbers else None
        self.gate = nn.Linear(2 * width, 1) if form.content_mix == "gate" else None

    def training_table(self, learned: Tensor, data: ContentData) -> Tensor:
        """Return the vectors of all items for one step of training.

        Items without events get zeros, so that they are no negatives: the model would otherwise
        learn that their content is never the answer.

        Args:
            learned: float [V, d], the vectors learned from events.
            data: Attributes and numbers of the items.

        Returns:
            float [V, d].
        """
        is_known = data.has_events
        if self.form.id_dropout_prob:
            kept = torch.rand(len(learned), device=learned.device) >= self.form.id_dropout_prob
            is_known = is_known & kept
        return self._mixed(learned, self._content(data), is_known) * data.has_events[:, None]

    def table(self, learned: Tensor, data: ContentData) -> Tensor:
        """Return the vectors of all items.

        Args:
            learned: float [V, d], the vectors learned from events.
            data: Attributes and numbers of the items.

        Returns:
            float [V, d].
        """
        return self._mixed(learned, self._content(data), data.has_events)

    def rows(self, learned: Tensor, data: ContentData, items: Tensor) -> Tensor:
        """Return the vectors of some items; the same as rows of ``table``, without the others.

        Args:
            learned: float [V, d], the vectors learned from events.
            data: Attributes and numbers of the items.
            items: int64 [P].

        Returns:
            float [P, d].
        """
        some, places = torch.unique(items, return_inverse=True)
        total = learned.new_zeros(())
        with torch.autocast(learned.device.type, enabled=False):
            if self.attribute_vectors is not None:
                bags = data.bags_of(some)
                total = weighted_sums(self.attribute_vectors.weight, bags)
            if self.from_numbers is not None:
                total = total + self.from_numbers(data.numbers[some])
        return self._mixed(learned[some], total, data.has_events[some])[places]

    def _content(self, data: ContentData) -> Tensor:
        total = data.numbers.new_zeros(())
        with torch.autocast(data.offsets.device.type, enabled=False):
            if self.attribute_vectors is not None:
                vectors = self.attribute_vectors.weight
                total = _Bags.apply(vectors, data)  # type: ignore[no-untyped-call]
            if self.from_numbers is not None:
                total = total + self.from_numbers(data.numbers)
        return total

    def _mixed(self, learned: Tensor, content: Tensor, is_known: Tensor) -> Tensor:
        """Return vectors of items; those with ``is_known`` False are their content alone."""
        if self.gate is None:
            return learned * is_known[:, None] + content
        with torch.autocast(learned.device.type, enabled=False):
            gate: Tensor = self.gate(torch.cat([learned, content], dim=1))
        share = gate.sigmoid() * is_known[:, None]
        return share * learned + (1 - share) * content


def weighted_sums(vectors: Tensor, bags: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Return sums of vectors with weights.

    Args:
        vectors: float [n, d].
        bags: Rows of ``vectors``, int64 [N]; where each sum begins, int64 [m]; weights, float [N].

    Returns:
        float [m, d].
    """
    rows, begins, weights = bags
    return F.embedding_bag(rows, vectors, begins, mode="sum", per_sample_weights=weights)


class _Bags(torch.autograd.Function):
    """Weighted sums of attribute vectors for all items; both directions are deterministic."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, data: ContentData) -> Tensor:
        ctx.data, ctx.n_attributes = data, len(vectors)
        return weighted_sums(vectors, (data.attributes, data.offsets[:-1], data.weights))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        bags = ctx.data.items_by_attribute(ctx.n_attributes)
        return weighted_sums(grad.contiguous(), bags), None
