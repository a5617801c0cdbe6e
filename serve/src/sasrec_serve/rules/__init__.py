"""Rules: what lists of recommendations may contain, as ``docs/rules.md`` describes them."""
