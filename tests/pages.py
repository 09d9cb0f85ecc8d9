"""Pages whose tables are written by commands."""

import re
from collections.abc import Mapping


def updated(text: str, tables: Mapping[str, str]) -> str:
    """A page with its tables replaced, each by the name of its markers."""
    for name, table in tables.items():
        pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)"
        found = re.findall(pattern, text, re.DOTALL)
        if len(found) != 1:
            raise ValueError(f"The page must have the markers of {name} once. Received: {len(found)}.")
        text = re.sub(pattern, lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text, flags=re.DOTALL)
    return text
