"""Where panels go, against the same rules written down plainly, pixel by pixel and without arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visagram.media.layout import Rect, Seating, row_height

Box = tuple[float, float, float, float]


@pytest.mark.parametrize(
    ("picture", "row"),
    [
        ((1920, 1080), 24.0),
        ((1080, 1920), 24.0),
        ((640, 360), 12.0),
        ((541, 900), 541 / 45),
        ((130, 900), 128 / 11.2),
        ((900, 100), 98 / 9.2),
        ((8, 900), 6 / 11.2),
        ((7, 900), 0.5),
        ((900, 6), 0.5),
        ((1, 1), 0.5),
    ],
)
def test_a_row_is_as_high_as_it_can_be_read_and_fits(picture: tuple[int, int], row: float) -> None:
    assert row_height(*picture) == pytest.approx(row)


def shared(a: Box, b: Box) -> float:
    """The part of the smaller of two rectangles that lies on the other."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0.0, across) * max(0.0, down) / max(1e-6, min(a[2] * a[3], b[2] * b[3]))


class Plain:
    """The rules: a panel wants to be near its face, off other faces, off other panels and on the side it was on."""

    def __init__(self, width: int, height: int, row: float) -> None:
        self.width, self.height, self.row = width, height, row
        self.seats: dict[int, tuple[int, float, float]] = {}
        self.small = False

    def spots(self, box: Box, wide: int, high: int) -> list[tuple[float, float]]:
        x, y, w, h = box
        gap = 0.45 * self.row
        columns = x + w / 2 - wide / 2, x, x + w - wide
        found = [(x + w + gap, y), (x - gap - wide, y), (x + w + gap, y + h - high), (x - gap - wide, y + h - high)]
        found += [(column, y + h + gap) for column in columns]
        found += [(column, y - gap - high) for column in columns]
        right, low = self.width - wide - gap, self.height - high - gap
        found += [(gap, gap), (right, gap), (gap, low), (right, low)]
        return [(min(max(a, 0), self.width - wide), min(max(b, 0), self.height - high)) for a, b in found]

    def seated(
        self, faces: list[Box], tracks: dict[int, int], size: tuple[int, int], before: dict, bearable: float
    ) -> dict[int, tuple[int, float, float]] | None:
        """tracks: by position of the face."""
        wide, high = size
        seats: dict[int, tuple[int, float, float]] = {}
        for k, track in sorted(tracks.items(), key=lambda pair: pair[1]):
            x, y, w, h = own = faces[k]
            best: tuple[float, int, float, float] | None = None
            for side, (a, b) in enumerate(self.spots(own, wide, high)):
                here = (a, b, wide, high)
                others = sum(shared(here, face) for other, face in enumerate(faces) if other != k)
                panels = sum(shared(here, (c, d, wide, high)) for _, c, d in seats.values())
                conflict = 3 * others + 4 * panels
                away = math.dist((a + wide / 2, b + high / 2), (x + w / 2, y + h / 2))
                cost = conflict + 1.5 * shared(here, own) + 0.02 * side
                cost += 3 * away / math.hypot(self.width, self.height)
                if track in before and before[track][0] == side:
                    cost -= 0.35
                hidden = shared(here, own) * min(1, wide * high / max(w * h, 1e-6))
                if best is None or cost < best[0]:
                    best = cost, side, conflict, hidden
            assert best is not None
            _, side, conflict, hidden = best
            if conflict + 3 * hidden > bearable:
                return None
            a, b = self.spots(own, wide, high)[side]
            if track in before and before[track][0] == side:
                _, c, d = before[track]
                a, b = c + 0.3 * (a - c), d + 0.3 * (b - d)
            seats[track] = side, a, b
        return seats

    def place(self, faces: list[Box], tracks: dict[int, int]) -> dict[int, Rect]:
        def size(wide: float, high: float) -> tuple[int, int]:
            return min(round(wide * self.row), self.width), min(round(high * self.row), self.height)

        large, little = size(11.2, 9.2), size(7.2, 3.2)
        kept = {} if self.small else self.seats
        seats = self.seated(faces, tracks, large, kept, 0.5 if self.small else 0.9)
        chosen = large
        if seats is None:
            seats = self.seated(faces, tracks, little, self.seats if self.small else {}, math.inf)
            chosen = little
        assert seats is not None
        self.small, self.seats = chosen is little, seats
        return {k: Rect(round(seats[t][1]), round(seats[t][2]), *chosen) for k, t in tracks.items()}


@pytest.mark.parametrize("picture", [(1280, 720), (640, 480), (720, 1280), (200, 160), (90, 300)])
@pytest.mark.parametrize("people", [1, 2, 3, 6])
def test_panels_go_where_the_rules_say_frame_after_frame(picture: tuple[int, int], people: int) -> None:
    random = np.random.default_rng(people)
    for _ in range(25):
        row = row_height(*picture)
        seating, plain = Seating(*picture, row), Plain(*picture, row)
        side = random.uniform(0.05, 0.5) * min(picture)
        faces = random.uniform(-0.1, 0.9, (people, 4)) * [*picture, 0, 0] + [0, 0, side, 1.3 * side]
        tracks = random.permutation(people) + 5
        for _ in range(6):
            # They wander, somebody comes or goes, not all are measured.
            faces = (faces + random.normal(0, 0.03, faces.shape) * min(picture) * [1, 1, 0.1, 0.1]).astype(np.float32)
            faces[:, 2:] = np.abs(faces[:, 2:])
            which = np.flatnonzero(random.random(people) < 0.85).tolist()
            found = seating.place(faces, which, tracks[which].tolist())
            boxes = [tuple(float(value) for value in face) for face in faces]
            expected = plain.place(boxes, {k: int(tracks[k]) for k in which})  # type: ignore[arg-type]
            assert found == [expected[k] for k in which]
            assert seating.small == plain.small


def test_a_single_face_has_its_panel_at_its_right_a_little_apart() -> None:
    seating = Seating(1280, 720, 16.0)
    right, left = np.float32([[300, 200, 200, 250]]), np.float32([[1050, 200, 200, 250]])
    assert seating.place(right, [0], [3]) == [Rect(507, 200, 179, 147)]
    assert Seating(1280, 720, 16.0).place(left, [0], [3]) == [Rect(864, 200, 179, 147)]
    # A panel glides a third of the way, not quite, towards its face.
    assert seating.place(right + np.float32([100, 10, 0, 0]), [0], [3]) == [Rect(537, 203, 179, 147)]
    assert seating.place(right, [], []) == []
    assert not seating.small


def test_a_face_without_any_size_has_a_panel_too() -> None:
    assert Seating(1280, 720, 16.0).place(np.float32([[300, 200, 0, 0]]), [0], [3]) == [Rect(210, 207, 179, 147)]
