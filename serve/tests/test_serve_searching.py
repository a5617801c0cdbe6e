"""Items are found by words of their titles."""

import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sasrec_serve.server.item_search import MOST_COUNTED, ItemSearch

TEXTS = st.text(alphabet="abÄéß İ\n\r\u2028ﬁ9-", max_size=8)


def plain(text: str) -> str:
    """Return a text without differences of case and accents, letter by letter."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))


@given(titles=st.lists(st.none() | TEXTS, min_size=1, max_size=12), query=TEXTS, data=st.data())
def test_items_are_those_with_all_words(
    titles: list[str | None], query: str, data: st.DataObject
) -> None:
    tokens = [f"t{number}" for number in range(1, len(titles) + 1)]
    order = data.draw(st.permutations(range(1, len(titles) + 1)))
    known = {token: title for token, title in zip(tokens, titles, strict=True) if title is not None}
    search = ItemSearch(tokens, known, np.array(order))
    found, count = search.find(query, 100)
    expected = []
    for number in order:
        line = f"{known.get(tokens[number - 1], '')} {tokens[number - 1]}"
        if all(word in " ".join(plain(line).split()) for word in plain(query).split()):
            expected.append(tokens[number - 1])
    assert found == expected
    assert count == len(expected)
    assert search.find(query, 1)[0] == expected[:1]


def test_counting_ends_early() -> None:
    tokens = [f"item{number}" for number in range(3000)]
    search = ItemSearch(tokens, {}, np.arange(1, 3001))
    assert search.find("item", 5) == (tokens[:5], MOST_COUNTED)
    assert search.find("", 5) == (tokens[:5], MOST_COUNTED)
    assert search.find("item2999", 5) == (["item2999"], 1)
