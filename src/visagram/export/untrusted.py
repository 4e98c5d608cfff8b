"""JSON from outside, read field by field."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NoReturn

from visagram.core.types import EXPRESSIONS
from visagram.errors import DataError

_RATIONAL = re.compile(r"\d{1,24}/0*[1-9]\d{0,23}")


class Part:
    """A JSON object from outside; every access checks the type and knows where it is for the error's text."""

    def __init__(self, place: str, value: Any) -> None:
        self.place = place
        self.value: dict[str, Any] = value
        if not isinstance(value, dict):
            self.refuse("an object is expected here")

    def refuse(self, what: str) -> NoReturn:
        raise DataError(f"{self.place}: {what}. Analyse the video again.")

    def get(self, name: str, kind: type, *, optional: bool = False) -> Any:
        """A field of exactly this type; a whole number may stand for a float, but true is no number."""
        value = self.value.get(name)
        if optional and value is None:
            return None
        if kind is float and type(value) is int and abs(value) < 1 << 63:
            return float(value)
        if type(value) is not kind:
            self.refuse(f"'{name}' is missing or not of type {kind.__name__}")
        return value

    def number(self, name: str) -> float:
        """A float; null is what JSON holds for NaN."""
        value = self.get(name, float, optional=True)
        return float("nan") if value is None else float(value)

    def whole(self, name: str) -> int:
        value: int = self.get(name, int)
        return value if 0 <= value < 1 << 63 else self.refuse(f"'{name}' is {str(value)[:20]}")

    def part(self, name: str) -> Part:
        return Part(f"{self.place} › {name}", self.value.get(name))

    def mapping(self, name: str) -> dict[str, Any]:
        return self.part(name).value

    def parts(self, name: str) -> list[Part]:
        entries = self.get(name, list)
        return [Part(f"{self.place} › {name}[{index}]", entry) for index, entry in enumerate(entries)]

    def each(self, name: str, kind: type) -> list[Any]:
        entries: list[Any] = self.get(name, list)
        if any(type(entry) is not kind for entry in entries):
            self.refuse(f"'{name}' holds something other than {kind.__name__}")
        return entries

    def by_expression(self, name: str, read: Callable[[Part, str], Any]) -> tuple[Any, ...]:
        """One value per expression, or none at all."""
        part = self.part(name)
        if part.value and set(part.value) != set(EXPRESSIONS):
            part.refuse("exactly the seven expressions are expected here")
        return tuple(read(part, expression) for expression in EXPRESSIONS) if part.value else ()

    def rational(self, name: str) -> Fraction:
        text = self.get(f"{name}_exact", str)
        # Checked before it is parsed: Fraction would also take '1e999999999' and never come back.
        if not _RATIONAL.fullmatch(text):
            self.refuse(f"'{name}_exact' is not a rational number such as 30000/1001")
        return Fraction(text)
