from __future__ import annotations

import re

import pytest

from visagram import errors
from visagram.errors import BY_CODE, VisagramError


def _tree(kind):
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _tree(child))]


CLASSES = [kind for kind in _tree(VisagramError) if kind.__module__ == errors.__name__]


def test_every_error_has_a_code_of_its_own():
    codes = [kind.code for kind in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    drawn = []
    parents = {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"([│├└─ ]*)(\w+Error|[A-Z]\w+)(?:\s|$)", line):
            indent, name = match.groups()
            if name not in {kind.__name__ for kind in CLASSES}:
                continue
            depth = len(indent) // 4
            parents[depth] = name
            drawn.append((name, parents[depth - 1] if depth else "Exception"))
    assert drawn == [(kind.__name__, kind.__bases__[0].__name__) for kind in CLASSES]


def test_the_codes_in_the_docstring_are_the_codes_of_the_classes():
    for kind in CLASSES:
        (line,) = re.findall(rf"^[│├└─ ]*{kind.__name__}\b(.*)$", errors.__doc__, re.MULTILINE)
        words = line.split()
        # The groups have no code in the drawing, because they are not raised themselves.
        if kind.__subclasses__():
            assert kind.code not in words[:1]
        else:
            assert words[0] == kind.code


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_comes_back_from_its_code_as_itself(kind):
    error = BY_CODE[kind.code]("A sentence.")
    assert type(error) is kind
    assert str(error) == "A sentence."


def test_the_exit_status_tells_wrong_use_from_failed_work():
    assert {kind.__name__ for kind in CLASSES if kind.exit_status == 2} == {"UsageError", "MissingExtra", "FolderInUse"}
    assert {kind.exit_status for kind in CLASSES} == {1, 2}
