"""What headers of coded packets say, read from packets that are written here bit by bit as the standards have it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from visagram.media.bitstream import Bits, Fields, Holds, Reader, unescaped, units

PICTURE, SECOND, NOTHING = Holds.PICTURE, Holds.SECOND_FIELD, Holds.NOTHING
START = b"\0\0\1"


class Coded(bytes):
    """A packet: its bytes, and what the demuxer says about it."""

    is_keyframe: bool
    fresh: bytes | None

    def __new__(cls, content: bytes, key: bool = True, fresh: bytes | None = None) -> Coded:
        packet = super().__new__(cls, content)
        packet.is_keyframe, packet.fresh = key, fresh
        return packet

    @property
    def size(self) -> int:
        return len(self)

    def has_sidedata(self, kind: str) -> bool:
        return kind == "new_extradata" and self.fresh is not None

    def get_sidedata(self, kind: str) -> bytes:
        return self.fresh or b""


def read(reader: Reader, packets: Iterable[Coded]) -> list[Holds]:
    return [reader.read(packet) for packet in packets]  # type: ignore[arg-type]


def u(value: int, count: int) -> str:
    return f"{value:0{count}b}" if count else ""


def ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def se(value: int) -> str:
    return ue(2 * value - 1 if value > 0 else -2 * value)


def packed(*fields: str, tail: str = "1") -> bytes:
    """Bits as bytes, with a stop bit and zeros behind."""
    text = "".join(fields) + tail
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def escaped(unit: bytes) -> bytes:
    """With emulation prevention, as H.264 7.3.1 has it."""
    out, zeros = bytearray(), 0
    for byte in unit:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = 0 if byte else zeros + 1
    return bytes(out)


# Bits.


def test_bits_are_read_from_the_highest_on_and_are_zero_past_the_end() -> None:
    bits = Bits(b"\xa5\x3c")
    assert [bits.read(n) for n in (1, 2, 5, 0, 4, 8, 8, 1)] == [1, 1, 5, 0, 3, 0xC0, 0, 0]
    assert Bits(b"\xff").read(9) == 0x1FE
    assert Bits(b"").read(5) == 0
    exact = Bits(b"\xff")
    assert (exact.read(8), exact.read(8)) == (255, 0)


def test_exponential_golomb_codes() -> None:
    values = [0, 1, 2, 3, 6, 7, 30, 31, 255, 65534, 65535]
    bits = Bits(packed(*map(ue, values)))
    assert [bits.golomb() for _ in values] == values
    signed = [0, 1, -1, 2, -2, 3, 17, -17, 128]
    bits = Bits(packed(*map(se, signed)))
    assert [bits.signed_golomb() for _ in signed] == signed


def test_a_golomb_code_of_nothing_but_zeros_ends_with_the_bytes() -> None:
    bits = Bits(bytes(2))
    assert bits.golomb() == (1 << 16) - 1
    assert Bits(b"").golomb() == 0


def test_no_more_than_32_bits_belong_to_a_golomb_code() -> None:
    bits = Bits(packed("0" * 40, "1", "1" * 32, "0" * 8, u(5, 3)))
    assert bits.golomb() == (1 << 40) - 1 + (1 << 32) - 1
    assert bits.read(11) == 5


# Fields.


def test_what_a_packet_holds_is_stored_by_number() -> None:
    assert [int(holds) for holds in (PICTURE, SECOND, NOTHING)] == [0, 1, 2]


def test_a_field_belongs_to_the_one_before_in_the_other_parity_and_with_its_number() -> None:
    fields = Fields()
    seen = [({1}, 4), ({2}, 4), ({2}, 5), ({1}, 5), ({1}, 6), ({1}, 6), ({2}, 7), ({1}, 7), ({2}, 7), ({3}, 8)]
    assert [fields.see(*each) for each in seen] == [
        *(PICTURE, SECOND, PICTURE, SECOND, PICTURE, PICTURE, PICTURE, SECOND, PICTURE, PICTURE)
    ]


@pytest.mark.parametrize("parities", [{3}, {1, 2}, {1, 3}, {1, 2, 3}, set()])
def test_a_packet_with_a_whole_frame_ends_the_wait_for_a_second_field(parities: set[int]) -> None:
    fields = Fields()
    assert [fields.see({1}, 4), fields.see(parities, 4), fields.see({2}, 4)] == [PICTURE, PICTURE, PICTURE]


# Units.


def test_units_between_start_codes() -> None:
    content = b"x" + START + b"abc\0" + START + b"" + START + b"defgh"
    assert list(units(content, None)) == [b"abc\0", b"", b"defgh"]
    assert list(units(content, None, 2)) == [b"ab", b"", b"de"]
    assert list(units(content, None, 5)) == [b"abc\0", b"", b"defgh"]
    assert list(units(b"abc", None)) == []
    assert list(units(START, None)) == [b""]


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_units_behind_their_lengths(length: int) -> None:
    content = b"".join(len(unit).to_bytes(length, "big") + unit for unit in (b"abc", b"", b"defgh"))
    assert list(units(content, length)) == [b"abc", b"", b"defgh"]
    assert list(units(content, length, 2)) == [b"ab", b"", b"de"]
    assert list(units(content, length, 3)) == [b"abc", b"", b"def"]
    assert list(units(content[:-2], length)) == [b"abc", b"", b"def"], "cut short"
    assert list(units(content + bytes(length), length)) == [b"abc", b"", b"defgh"], "nothing behind a length is no unit"


def test_a_length_of_more_than_a_byte_is_read_whole() -> None:
    long = bytes(range(256)) + b"more"
    assert list(units(len(long).to_bytes(2, "big") + long + b"\0\1z", 2)) == [long, b"z"]


def test_emulation_prevention_is_taken_out() -> None:
    assert unescaped(b"a\0\0\3\1b\0\0\3\0\0\3c\0\3") == b"a\0\0\1b\0\0\0\0c\0\3"
    assert unescaped(escaped(bytes([0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3]))) == bytes(
        [0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3]
    )


# Any codec.


def test_an_unknown_codec_has_a_picture_in_every_packet_and_no_signature() -> None:
    reader = Reader("prores", b"abc")
    assert read(reader, [Coded(b"\0\0\1\xb6"), Coded(b"", key=False)]) == [PICTURE, PICTURE]
    assert reader.signature == b""


def test_new_global_headers_are_a_new_signature() -> None:
    reader = Reader("prores", None)
    read(reader, [Coded(b"a", key=False, fresh=b"not at a key frame")])
    assert reader.signature == b""
    read(reader, [Coded(b"a", fresh=b"one")])
    assert reader.signature == b"one"
    read(reader, [Coded(b"a")])
    assert reader.signature == b"one"


# H.264.

SPS, PPS, SEI, KEY, DELTA = 0x67, 0x68, 0x06, 0x65, 0x41
HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


def sps(
    number: int = 0,
    profile: int = 77,
    bits: int = 4,
    order: int = 0,
    fields: bool = True,
    chroma: int = 1,
    separate: bool = False,
    lists: str = "0",
    cycle: int = 2,
) -> bytes:
    """A sequence parameter set (H.264 7.3.2.1). lists: everything about scaling."""
    high = ""
    if profile in HIGH:
        high = ue(chroma) + (u(separate, 1) if chroma == 3 else "") + ue(1) + ue(2) + "1" + lists
    orders = {0: ue(9), 1: "1" + se(-5) + se(6) + ue(cycle) + se(-3) * cycle, 2: ""}
    shape = ue(1) + "1" + ue(19) + ue(8)
    # Whatever stands behind has the opposite value of the bit that counts.
    last = u(not fields, 1) + (u(fields, 1) * 3)
    head = u(profile, 8) + u(0xC0, 8) + u(30, 8) + ue(number)
    return escaped(bytes([SPS]) + packed(head, high, ue(bits - 4), ue(order), orders[order], shape, last))


def pps(number: int = 0, sequence: int = 0) -> bytes:
    return escaped(bytes([PPS]) + packed(ue(number), ue(sequence), "101"))


def piece(frame: int, parity: int, bits: int = 4, picture: int = 0, plane: str = "", kind: int = DELTA) -> bytes:
    """A slice's header. parity: 1 top, 2 bottom, 3 a whole frame."""
    field = {1: "10", 2: "11", 3: "0"}[parity]
    return escaped(bytes([kind]) + packed(ue(0), ue(7), ue(picture), plane, u(frame, bits), field, "0110" * 9))


def annex_b(*parts: bytes) -> bytes:
    return b"".join(START + part for part in parts)


def avcc(sets: list[bytes], pictures: list[bytes], length: int = 4) -> bytes:
    """The configuration record of ISO 14496-15."""
    head = bytes([1, 77, 0, 30, 0xFC | length - 1, 0xE0 | len(sets)])
    long = [len(part).to_bytes(2, "big") + part for part in (*sets, *pictures)]
    return head + b"".join(long[: len(sets)]) + bytes([len(pictures)]) + b"".join(long[len(sets) :])


SEEN = [
    (5, 1),
    (5, 2),
    (6, 2),
    (6, 1),
    (10, 1),
    (9, 1),
    (9, 2),
    (9, 3),
    (2, 1),
    (3, 2),
    (0, 2),
    (0, 1),
    (15, 1),
    (0, 2),
]
HELD = [PICTURE, SECOND, PICTURE, SECOND, PICTURE, PICTURE, SECOND, PICTURE, PICTURE, PICTURE, PICTURE, SECOND]
HELD += [PICTURE, PICTURE]


def paired(extradata: bytes, **slices: object) -> list[Holds]:
    packets = [Coded(annex_b(piece(frame, parity, **slices)), key=not k) for k, (frame, parity) in enumerate(SEEN)]  # type: ignore[arg-type]
    return read(Reader("h264", extradata), packets)


def check_sequence(bits: int = 4, plane: str = "", **sequence: object) -> None:
    """Fields are paired where the sequence has fields, and nowhere else."""
    for fields in (True, False):
        extradata = annex_b(sps(bits=bits, fields=fields, **sequence), pps())  # type: ignore[arg-type]
        assert paired(extradata, bits=bits, plane=plane) == (HELD if fields else [PICTURE] * len(HELD))


@pytest.mark.parametrize("bits", [4, 5, 8, 16])
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("profile", [66, 77, 88])
def test_h264_fields_are_paired_by_their_numbers(profile: int, order: int, bits: int) -> None:
    check_sequence(bits, profile=profile, order=order)


@pytest.mark.parametrize("cycle", [0, 1, 2, 15, 255])
def test_h264_offsets_of_an_order_are_stepped_over(cycle: int) -> None:
    check_sequence(7, order=1, cycle=cycle)


@pytest.mark.parametrize("profile", HIGH)
def test_h264_profiles_with_more_colours_are_read(profile: int) -> None:
    check_sequence(6, profile=profile, order=1)


@pytest.mark.parametrize("chroma", [0, 1, 2, 3])
def test_h264_separate_planes_are_only_said_where_no_colour_is_left_out(chroma: int) -> None:
    check_sequence(profile=244, chroma=chroma)


def test_h264_slices_of_separate_planes_name_their_plane() -> None:
    for plane in ("10", "01"):
        check_sequence(plane=plane, profile=244, chroma=3, separate=True)


def scaling(chroma: int, given: dict[int, list[int]]) -> str:
    """Scaling lists (7.3.2.1.1.1) by number: differences of their entries, those left out are not there."""
    count = 12 if chroma == 3 else 8
    return "1" + "".join("1" + "".join(map(se, given[k])) if k in given else "0" for k in range(count))


@pytest.mark.parametrize("chroma", [1, 3])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {0: [1] * 16},
        {5: [1, -1] * 8, 6: [2] * 64},
        {0: [-8], 7: [1, 2, -11]},
        {6: [120, 127, 3] + [1] * 61},
        {6: [120, 127, 1], 7: [1] * 64},
        {1: [-8], 2: [3, 0, -11], 7: [1] * 64},
    ],
    ids=["none", "small", "large", "ends early", "beyond 255", "up to 256", "several"],
)
def test_h264_scaling_lists_are_stepped_over(chroma: int, given: dict[int, list[int]]) -> None:
    check_sequence(9, profile=100, chroma=chroma, lists=scaling(chroma, given))


def test_h264_has_twelve_scaling_lists_where_no_colour_is_left_out() -> None:
    given = {11: [1] * 64, 8: [-8], 10: [2, -10]}
    check_sequence(9, profile=100, chroma=3, lists=scaling(3, given))


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_h264_headers_of_a_container_say_how_long_lengths_are(length: int) -> None:
    record = avcc([sps(0), sps(1, bits=8)], [pps(0, 0), pps(1, 1)], length)
    reader = Reader("h264", record)
    for bits, picture in ((4, 0), (8, 1)):
        slices = [piece(frame, parity, bits, picture) for frame, parity in SEEN]
        packets = [Coded(len(unit).to_bytes(length, "big") + unit, key=False) for unit in slices]
        assert read(reader, packets) == HELD


def test_h264_a_container_may_have_up_to_255_picture_sets_and_31_sequence_sets() -> None:
    record = avcc([sps(k, bits=4 + k % 2) for k in range(31)], [pps(k, k % 31) for k in range(255)], 4)
    reader = Reader("h264", record)
    for picture in (0, 30, 31, 254):
        bits = 4 + picture % 31 % 2
        slices = [piece(frame, parity, bits, picture) for frame, parity in SEEN]
        assert read(reader, [Coded(len(s).to_bytes(4, "big") + s, key=False) for s in slices]) == HELD


def test_h264_a_record_without_sets_still_says_the_length() -> None:
    reader = Reader("h264", avcc([], [], 2))
    first = b"".join(len(unit).to_bytes(2, "big") + unit for unit in (sps(), pps(), piece(5, 1, kind=KEY)))
    second = len(piece(5, 2)).to_bytes(2, "big") + piece(5, 2)
    assert read(reader, [Coded(first), Coded(second, key=False)]) == [PICTURE, SECOND]


@pytest.mark.parametrize("extradata", [None, b"", b"\1", b"\1\2\3\4\xfd\xe0", b"\1\2\3\4\xfc\xff\0", b"junk"])
def test_h264_without_usable_headers_learns_from_the_packets(extradata: bytes | None) -> None:
    reader = Reader("h264", extradata)
    if extradata and extradata[4:5] == b"\xfc":
        first = b"".join(bytes([len(unit)]) + unit for unit in (sps(), pps(), piece(5, 1, kind=KEY)))
        second = bytes([len(piece(5, 2))]) + piece(5, 2)
    else:
        first, second = annex_b(sps(), pps(), piece(5, 1, kind=KEY)), annex_b(piece(5, 2))
    assert read(reader, [Coded(second, key=False), Coded(first), Coded(second, key=False)]) == [
        PICTURE,
        PICTURE,
        SECOND,
    ]


@pytest.mark.parametrize(("number", "known"), [(31, True), (32, False)])
def test_h264_allows_31_as_the_largest_number_of_a_sequence_set(number: int, known: bool) -> None:
    extradata = annex_b(sps(number), pps(0, number))
    assert paired(extradata) == (HELD if known else [PICTURE] * len(HELD))


@pytest.mark.parametrize(("number", "known"), [(255, True), (256, False)])
def test_h264_allows_255_as_the_largest_number_of_a_picture_set(number: int, known: bool) -> None:
    extradata = annex_b(sps(), pps(number, 0))
    assert paired(extradata, picture=number) == (HELD if known else [PICTURE] * len(HELD))


def test_h264_of_whole_frames_has_a_picture_in_every_packet() -> None:
    assert paired(annex_b(sps(fields=False), pps())) == [PICTURE] * len(HELD)


def test_h264_where_one_of_two_sequences_has_fields_the_other_has_none() -> None:
    extradata = annex_b(sps(0), sps(1, fields=False), pps(0, 0), pps(1, 1))
    reader = Reader("h264", extradata)
    packets = [piece(5, 1), piece(5, 2, picture=1), piece(5, 2), piece(5, 1)]
    assert read(reader, [Coded(annex_b(unit), key=False) for unit in packets]) == [PICTURE, PICTURE, PICTURE, SECOND]


def test_h264_a_later_set_replaces_the_one_with_its_number() -> None:
    reader = Reader("h264", annex_b(sps(), pps()))
    read(reader, [Coded(b"", fresh=annex_b(sps(fields=False)))])
    packets = [Coded(annex_b(piece(5, parity)), key=False) for parity in (1, 2)]
    assert read(reader, packets) == [PICTURE, PICTURE]


def test_h264_both_fields_in_one_packet_are_a_picture() -> None:
    reader = Reader("h264", annex_b(sps(), pps()))
    both = annex_b(piece(5, 1), piece(5, 1), piece(5, 2), piece(5, 2))
    several = annex_b(piece(6, 1), piece(6, 1))
    packets = [both, both, several, annex_b(piece(6, 2)), annex_b(bytes([9, 0xF0])), annex_b(piece(6, 1))]
    assert read(reader, [Coded(each, key=False) for each in packets]) == [
        *(PICTURE, PICTURE, PICTURE, SECOND, PICTURE, PICTURE)
    ]


def message(kind: int, content: bytes) -> bytes:
    heads = (b"\xff" * (value // 255) + bytes([value % 255]) for value in (kind, len(content)))
    return b"".join(heads) + content


def test_h264_signature_is_the_sequence_set_and_the_message_that_turns_the_picture() -> None:
    turned = message(47, b"\x50\0\7")
    first, second = sps(fields=False), sps(fields=False, bits=9)
    reader = Reader("h264", annex_b(first, pps()))
    assert reader.signature == b""
    sei = bytes([SEI]) + message(1, b"abc") + turned + message(4, b"xyz") + b"\x80"
    slice_ = piece(0, 3, kind=KEY)
    read(reader, [Coded(annex_b(bytes([9, 0x10]), first, pps(), sei, slice_, second))])
    assert reader.signature == first + turned[:1] + turned[2:]
    read(reader, [Coded(annex_b(slice_)), Coded(annex_b(second, slice_), key=False)])
    assert reader.signature == first + turned[:1] + turned[2:], "what says nothing changes nothing"
    read(reader, [Coded(annex_b(second, slice_))])
    assert reader.signature == second


def test_h264_with_fields_all_units_of_a_key_frame_count() -> None:
    reader = Reader("h264", annex_b(sps(), pps()))
    read(reader, [Coded(annex_b(sps(), piece(0, 1, kind=KEY), sps(1)))])
    assert reader.signature == sps() + sps(1)


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (message(47, b"a"), b"\x2fa"),
        (message(47, b"") + b"\x80", b"\x2f"),
        (message(47, b""), b""),
        (message(46, b"abcd") + message(47, b"e"), b"\x2fe"),
        (message(48, b"abcd") + b"\x80", b""),
        (message(255 + 47, b"abc") + message(47, b"de"), b"\x2fde"),
        (message(5, b"x" * 254) + message(47, b"de"), b"\x2fde"),
        (message(5, b"x" * 255) + message(47, b"de"), b"\x2fde"),
        (message(5, b"x" * 600) + message(47, b"de") + message(47, b"fg"), b"\x2fde"),
        (message(510, b"x" * 3) + message(47, b"de"), b"\x2fde"),
        (message(47, b"d\0\0\3\1"), b"\x2fd\0\0\1"),
        (b"\xff\xff\xff", b""),
        (b"\x05\xff\xff", b""),
        (b"\x2f\xff\xff", b"\x2f"),
        (b"", b""),
    ],
)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_the_message_that_turns_the_picture_is_found_among_others(codec: str, messages: bytes, found: bytes) -> None:
    if messages[:2] == b"\x2f\5":
        # The size counts what is left when emulation prevention is out.
        messages = b"\x2f\4" + messages[2:]
    head = bytes([SEI]) if codec == "h264" else bytes([39 << 1, 1])
    reader = Reader(codec, None)
    read(reader, [Coded(annex_b(head + messages))])
    assert reader.signature == found


# HEVC.


def hevc(kind: int, content: bytes) -> bytes:
    return bytes([kind << 1, 1]) + content


@pytest.mark.parametrize("length", [1, 2, 4])
def test_hevc_signature_is_the_sequence_set_and_the_message_that_turns_the_picture(length: int) -> None:
    record = bytes([1]) + bytes(20) + bytes([0xFC | length - 1]) + b"\0"
    reader = Reader("hevc", record)
    parts = [hevc(32, b"v"), hevc(33, b"sequence"), hevc(34, b"p"), hevc(39, message(47, b"abc")), hevc(31, b"picture")]
    parts += [hevc(33, b"too late")]
    content = b"".join(len(unit).to_bytes(length, "big") + unit for unit in parts)
    assert read(reader, [Coded(content, key=False)]) == [PICTURE]
    assert reader.signature == b""
    assert read(reader, [Coded(content)]) == [PICTURE]
    assert reader.signature == hevc(33, b"sequence") + b"\x2fabc"


@pytest.mark.parametrize(
    "extradata",
    [None, bytes(22), START + bytes(18) + b"\1\1", b"\0" + START + bytes(17) + b"\2\1\1", bytes(21) + b"\xfc"],
)
def test_hevc_without_a_record_has_start_codes(extradata: bytes | None) -> None:
    reader = Reader("hevc", extradata)
    read(reader, [Coded(annex_b(hevc(33, b"one"), hevc(0, b"picture"), hevc(33, b"two")))])
    assert reader.signature == hevc(33, b"one")


# MPEG-1 and MPEG-2.


def mpeg2(number: int, structure: int | None = 3, sequence: bytes = b"", coding: int = 0x8F) -> bytes:
    head = b"\0\0\1\xb3" + sequence + b"\x13\xff" if sequence else b""
    picture = b"\0\0\1\0" + (number << 6 | 0b101010).to_bytes(2, "big") + b"\xff\xf8"
    if structure is None:
        return head + picture
    return head + picture + b"\0\0\1\xb5" + bytes([coding, 0xFF, 0xFC | structure, 0x80])


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg1video"])
def test_mpeg2_fields_are_paired_by_their_numbers(codec: str) -> None:
    packets = [(5, 1), (5, 2), (5, 2), (6, 1), (1023, 2), (1023, 1), (0, 1), (512, 2), (512, 3), (512, 1), (513, 2)]
    held = [PICTURE, SECOND, PICTURE, PICTURE, PICTURE, SECOND, PICTURE, PICTURE, PICTURE, PICTURE, PICTURE]
    assert read(Reader(codec, None), [Coded(mpeg2(*each), key=False) for each in packets]) == held


def test_mpeg2_both_fields_in_one_packet_are_a_picture() -> None:
    reader = Reader("mpeg2video", None)
    both, none = mpeg2(5, 1) + mpeg2(5, 2), b"\0\0\1\xb8abcd"
    assert read(reader, [Coded(both), Coded(none), Coded(mpeg2(5, 1)), Coded(mpeg2(5, 2) + b"\0\0\1\1")]) == [
        *(PICTURE, NOTHING, PICTURE, SECOND)
    ]


@pytest.mark.parametrize("coding", [0x80, 0x88, 0x8F])
def test_mpeg2_the_picture_coding_extension_says_the_parity(coding: int) -> None:
    packets = [Coded(mpeg2(5, 1, coding=coding)), Coded(mpeg2(5, 2, coding=coding))]
    assert read(Reader("mpeg2video", None), packets) == [PICTURE, SECOND]


@pytest.mark.parametrize("coding", [0x1F, 0x7F, 0x90, 0x20])
def test_mpeg2_other_extensions_say_nothing(coding: int) -> None:
    packets = [Coded(mpeg2(5, 1, coding=coding)), Coded(mpeg2(5, 2, coding=coding))]
    assert read(Reader("mpeg2video", None), packets) == [PICTURE, PICTURE]


def test_mpeg2_without_an_extension_has_whole_frames() -> None:
    reader = Reader("mpeg2video", None)
    assert read(reader, [Coded(mpeg2(5, 1)), Coded(mpeg2(5, None)), Coded(mpeg2(5, 2))]) == [PICTURE, PICTURE, PICTURE]
    # An extension cut short counts as none, and so does that of the next picture.
    whole, cut = mpeg2(5, 1), mpeg2(5, 2)[:-2]
    reader = Reader("mpeg2video", None)
    assert read(reader, [Coded(whole), Coded(cut)]) == [PICTURE, PICTURE]
    assert read(reader, [Coded(whole), Coded(mpeg2(5, None) + mpeg2(5, 2))]) == [PICTURE, PICTURE]
    last = Coded(mpeg2(5, 2)[:-1])
    assert read(reader, [Coded(whole), last]) == [PICTURE, SECOND], "all that counts is there"


def test_mpeg2_signature_is_the_size_in_the_sequence_header() -> None:
    reader = Reader("mpeg2video", None)
    read(reader, [Coded(b"x" + mpeg2(0, 3, b"\x16\x01\x20\x23"), key=False)])
    assert reader.signature == b"\x16\x01\x20\x23"
    read(reader, [Coded(mpeg2(1))])
    assert reader.signature == b"\x16\x01\x20\x23"
    assert read(reader, [Coded(b"\0\0\1\xb3abcdefgh")]) == [NOTHING]
    assert reader.signature == b"abcd"


# MPEG-4.


def layer(
    resolution: int,
    version: int | None = None,
    aspect: int = 1,
    control: str = "0",
    shape: int = 0,
    code: int = 0x20,
) -> bytes:
    """A video object layer (ISO 14496-2 6.2.3)."""
    kept = "0" if version is None else "1" + u(version, 4) + "101"
    pixel = u(aspect, 4) + ("1010101001010101" if aspect == 15 else "")
    return (
        START + bytes([code]) + packed("1", u(0x55, 8), kept, pixel, control, u(shape, 2), "1", u(resolution, 16), "10")
    )


def vop(resolution: int, coded: bool, increment: int = 0, seconds: int = 0, size: int = 0) -> bytes:
    wide = max(1, (resolution - 1).bit_length())
    # What surrounds the bit that counts is its opposite, but for the marker before it.
    behind = "0" * 16 if coded else "1" * 16
    content = START + b"\xb6" + packed("01", "1" * seconds, "0", "1", u(increment, wide), "1", u(coded, 1), behind)
    return content + bytes(max(0, size - len(content)))


LAYERS = [
    {},
    {"version": 1},
    {"version": 5},
    {"aspect": 15},
    {"aspect": 14},
    {"control": "10110"},
    {"control": "10101" + "10" * 39 + "1"},
    {"version": 2, "aspect": 15, "control": "10101" + "01" * 39 + "0", "code": 0x2F},
]


@pytest.mark.parametrize("resolution", [1, 2, 3, 25, 30000, 65535])
@pytest.mark.parametrize("shape", LAYERS, ids=str)
def test_mpeg4_pictures_that_are_not_coded_show_nothing(shape: dict[str, object], resolution: int) -> None:
    head = layer(resolution, **shape)  # type: ignore[arg-type]
    for extradata, first in ((b"\0\0\1\xb0\xf5" + head, b""), (b"", head)):
        reader = Reader("mpeg4", extradata)
        packets = [Coded(first + vop(resolution, True, size=40))]
        for seconds in (0, 1, 3):
            for increment in (0, max(0, resolution - 1)):
                packets += [Coded(vop(resolution, coded, increment, seconds), key=False) for coded in (False, True)]
        assert read(reader, packets) == [PICTURE, *[NOTHING, PICTURE] * 6]


@pytest.mark.parametrize("unusual", [{"version": 6}, {"shape": 1}, {"shape": 2}, {"shape": 3}], ids=str)
def test_mpeg4_layers_of_an_unusual_kind_leave_the_resolution_as_it_was(unusual: dict[str, int]) -> None:
    reader = Reader("mpeg4", layer(30000))
    packets = [Coded(layer(2, **unusual) + vop(2, True, size=40))]  # type: ignore[arg-type]
    packets += [Coded(vop(30000, coded), key=False) for coded in (True, False)]
    assert read(reader, packets) == [PICTURE, PICTURE, NOTHING]


def test_mpeg4_a_layer_counts_at_key_frames_alone() -> None:
    reader = Reader("mpeg4", layer(30000))
    packets = [Coded(layer(2) + vop(2, True, size=40), key=False)]
    packets += [Coded(vop(30000, coded), key=False) for coded in (True, False)]
    assert read(reader, packets) == [PICTURE, PICTURE, NOTHING]
    assert reader.signature == b""


@pytest.mark.parametrize(("size", "holds"), [(23, NOTHING), (24, NOTHING), (25, PICTURE)])
def test_mpeg4_only_a_small_packet_can_show_nothing(size: int, holds: Holds) -> None:
    assert read(Reader("mpeg4", layer(25)), [Coded(vop(25, False, size=size), key=False)]) == [holds]


def test_mpeg4_a_packet_without_a_picture_shows_nothing() -> None:
    assert read(Reader("mpeg4", layer(25)), [Coded(b"\x7f", key=False), Coded(b"\0\0\1\xb2abc", key=False)]) == [
        *(NOTHING, NOTHING)
    ]


def test_mpeg4_of_packed_pictures_the_second_is_shown_by_the_empty_packet_that_follows() -> None:
    reader = Reader("mpeg4", layer(25))
    one, empty = Coded(vop(25, True, size=40), key=False), Coded(vop(25, False), key=False)
    two = Coded(vop(25, True, size=40) + vop(25, True, size=40), key=False)
    three = Coded(vop(25, True) * 3, key=False)
    assert read(reader, [two, empty, empty, three, empty, one, empty, empty, two, one, empty, empty]) == [
        *(PICTURE, PICTURE, NOTHING, PICTURE, PICTURE, PICTURE, PICTURE, NOTHING, PICTURE, PICTURE, PICTURE, NOTHING)
    ]


@pytest.mark.parametrize(("code", "found"), [(0x1F, False), (0x20, True), (0x2F, True), (0x30, False)])
def test_mpeg4_signature_is_the_layer(code: int, found: bool) -> None:
    reader = Reader("mpeg4", None)
    head = layer(25, code=code)
    read(reader, [Coded(b"\0\0\1\xb0\xf5\0\0\1\0" + head + vop(25, True, size=40))])
    assert reader.signature == (head if found else b"")
    read(reader, [Coded(START)])
    assert reader.signature == (head if found else b"")


# VP8, VP9, AV1, JPEG, PNG.


@pytest.mark.parametrize("codec", ["vp8", "libvpx"])
def test_vp8_says_what_is_shown_in_its_first_byte(codec: str) -> None:
    reader = Reader(codec, None)
    assert read(reader, [Coded(b""), Coded(b"\x10abcdefghijkl")]) == [NOTHING, PICTURE]
    assert reader.signature == b"cdefghi"
    heads = (0x00, 0x0F, 0x11, 0xEF, 0xF1, 0x30, 0x2E)
    packets = [Coded(bytes([head]) + b"mnopqrstu") for head in heads]
    assert read(reader, packets[:2]) == [NOTHING, NOTHING]
    assert reader.signature == b"opqrstu"
    assert read(reader, packets) == [NOTHING, NOTHING, PICTURE, NOTHING, PICTURE, PICTURE, NOTHING]
    inter = Reader(codec, None)
    read(inter, [Coded(b"\x11abcdefghi")])
    assert inter.signature == b""


def vp9(profile: int, existing: int, shown: int, last: int = 0, key: int = 0) -> bytes:
    """The beginning of an uncompressed header (6.2)."""
    low, high = profile & 1, profile >> 1
    text = "10" + u(low, 1) + u(high, 1) + ("0" if profile == 3 else "") + u(existing, 1) + u(key, 1) + u(shown, 1)
    return packed(text, tail=u(not shown, 1) * 5) + bytes(12) + bytes([last])


@pytest.mark.parametrize("codec", ["vp9", "libvpx-vp9"])
@pytest.mark.parametrize("profile", [0, 1, 2, 3])
@pytest.mark.parametrize("key", [0, 1])
def test_vp9_says_what_is_shown(codec: str, profile: int, key: int) -> None:
    contents = [vp9(profile, 0, 0, key=key), vp9(profile, 0, 1, key=key), vp9(profile, 1, 0, key=key)]
    contents += [vp9(profile, 0, 0, last=last, key=key) for last in (0xC0, 0xDF, 0xE0, 0xA0, 0x40)]
    held = [NOTHING, PICTURE, PICTURE, PICTURE, PICTURE, NOTHING, NOTHING, NOTHING]
    assert read(Reader(codec, None), [Coded(content, key=False) for content in contents]) == held


def test_vp9_signature_is_the_beginning_of_a_key_frame() -> None:
    reader = Reader("vp9", None)
    assert read(reader, [Coded(b""), Coded(b"\x82abcdefghijklmn", key=False)]) == [NOTHING, PICTURE]
    assert reader.signature == b""
    assert read(reader, [Coded(b"\x82abcdefghijklmn")]) == [PICTURE]
    assert reader.signature == b"\x82abcdefghijk"


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


FRAME = bytes(range(17))
"""What stands behind the two bytes of a frame header's marker, with more than a hundred bytes to follow."""


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xC9, 0xCB, 0xCD, 0xCE, 0xCF])
def test_jpeg_signature_is_the_frame_header(marker: int) -> None:
    reader = Reader("mjpeg", None)
    before = segment(0xE0, b"JFIF") + segment(0xDB, bytes(300)) + segment(0xC4, b"xy") + segment(0xFE, b"")
    header = segment(marker, FRAME)
    assert read(reader, [Coded(b"\xff\xd8" + before + header + segment(0xC0, b"other"))]) == [PICTURE]
    assert reader.signature == header[:19]


@pytest.mark.parametrize("marker", [0xBF, 0xC4, 0xC8, 0xCC, 0xD0, 0xDA])
def test_jpeg_other_markers_are_no_frame_header(marker: int) -> None:
    reader = Reader("mjpeg", None)
    header = segment(0xC2, FRAME)
    read(reader, [Coded(b"\xff\xd8" + segment(marker, b"abc") + header)])
    assert reader.signature == header[:19]
    alone = Reader("mjpeg", None)
    assert read(alone, [Coded(b"\xff\xd8" + segment(marker, b"abc"))]) == [PICTURE]
    assert alone.signature == b""


def test_jpeg_a_frame_header_needs_a_marker_and_a_length() -> None:
    for content in (b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\xff\xd8\xff\xc0\0", b"\xff\xd8\0" + segment(0xC0, FRAME)):
        reader = Reader("mjpeg", None)
        read(reader, [Coded(content)])
        assert reader.signature == b""
    reader = Reader("mjpeg", None)
    read(reader, [Coded(b"\xff\xd8\xff\xc0\0\x11")])
    assert reader.signature == b"\xff\xc0\0\x11"


@pytest.mark.parametrize(("count", "found"), [(63, True), (64, False)])
def test_jpeg_only_the_first_64_markers_are_looked_at(count: int, found: bool) -> None:
    reader = Reader("mjpeg", None)
    header = segment(0xC0, FRAME)
    read(reader, [Coded(b"\xff\xd8" + segment(0xE1, b"") * count + header)])
    assert reader.signature == (header[:19] if found else b"")


def obu(kind: int, content: bytes, extension: bool = False, sized: bool = True, spare: int = 0) -> bytes:
    """An open bitstream unit (AV1 5.3): its size in groups of seven bits, the lowest first."""
    out = bytes([kind << 3 | extension << 2 | sized << 1]) + (b"\x20" if extension else b"")
    size, groups = len(content), []
    while sized and (size or not groups or len(groups) <= spare):
        groups.append(size & 127)
        size >>= 7
    return out + bytes([group | 128 for group in groups[:-1]]) + bytes(groups[-1:]) + content


@pytest.mark.parametrize("codec", ["av1", "libdav1d"])
@pytest.mark.parametrize(
    ("content", "signature"),
    [
        (obu(2, b"") + obu(1, b"sequence") + obu(6, b"frame"), b"sequence"),
        (obu(2, b"", extension=True) + obu(1, b"sequence", extension=True) + b"rest", b"sequence"),
        (obu(5, b"x" * 127) + obu(1, b"sequence") + b"rest", b"sequence"),
        (obu(5, b"x" * 128) + obu(1, b"s" * 200) + b"rest", b"s" * 200),
        (obu(5, b"x" * 700) + obu(1, b"sequence", spare=1) + b"rest", b"sequence"),
        (obu(5, b"x", spare=2) + obu(1, b"sequence", spare=2) + b"rest", b"sequence"),
        (obu(6, b"frame", sized=False) + obu(1, b"sequence"), b""),
        (obu(9, b"no sequence") + obu(1, b""), b""),
        (b"", b""),
        (b"\x0a", b""),
        (b"\x0a\x85", b""),
    ],
)
def test_av1_signature_is_the_sequence_header(codec: str, content: bytes, signature: bytes) -> None:
    reader = Reader(codec, None)
    assert read(reader, [Coded(content, key=False)]) == [PICTURE]
    assert reader.signature == b""
    assert read(reader, [Coded(content)]) == [PICTURE]
    assert reader.signature == signature


def test_png_signature_is_the_size_and_kind_in_its_header() -> None:
    reader = Reader("png", None)
    content = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + bytes(range(1, 14)) + b"crc"
    assert read(reader, [Coded(content, key=False)]) == [PICTURE]
    assert reader.signature == bytes(range(1, 14))
