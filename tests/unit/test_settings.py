from __future__ import annotations

import dataclasses
import json
import math
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visagram.errors import UsageError
from visagram.settings import ServerSettings, Settings, cores, parse_region

SIX = "disgust=0.100000,fear=0.100000,happy=0.100000,sad=0.100000,surprise=0.100000,neutral=0.100000"

OTHER = {
    "start": (1.5, 2.5, 3.5),
    "end": (10.0, 20.0, 30.0),
    "sample_fps": (1.0, 2.0, 3.0),
    "frame_interval": (2, 3, 4),
    "stream": (0, 1, 2),
    "region": ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12)),
    "min_face": (21, 22, 23),
    "detect_every": (1, 2, 3),
    "detect_size": ("full", "640", "320"),
    "seed": (1, 2, 3),
    "smooth": (0.5, 2.0, 10.0),
    "emotion": ("deepface", "hf:a/b", "onnx:mine.onnx"),
    "detector": ("deepface-retinaface", "other", "third"),
    "prior": ("even", f"angry=0.400000,{SIX}", f"angry=0.399998,{SIX}"),
    "refine": (True, True, True),
    "processes": (1, 2, 3),
    "max_pixels": (1000, 2000, 3000),
    "max_duration": (10.0, 20.0, 30.0),
    "max_streams": (1, 2, 3),
    "worker_memory": (1000, 2000, 3000),
    "stall_timeout": (1.0, 2.0, 3.0),
    "attempts": (1, 3, 4),
    "models": ("here", "there", "/elsewhere"),
    "offline": (True, True, True),
}
"""Three values of each setting that are not the default."""

NAMES = [field.name for field in dataclasses.fields(Settings)]
SERVER_NAMES = [field.name for field in dataclasses.fields(ServerSettings)]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    """An empty working folder and no variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in [*NAMES, *SERVER_NAMES, "config"]:
        monkeypatch.delenv(f"VISAGRAM_{name.upper()}", raising=False)


def _toml(value):
    if isinstance(value, tuple):
        return str(list(value))
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def test_this_file_knows_every_setting():
    assert list(OTHER) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_argument_goes_before_the_environment_before_the_file_before_the_default(name, tmp_path, monkeypatch):
    from_file, from_environment, from_argument = OTHER[name]
    default = getattr(Settings(), name)
    assert getattr(Settings.load(), name) == default
    (tmp_path / "visagram.toml").write_text(f"{name} = {_toml(from_file)}\n")
    assert getattr(Settings.load(), name) == from_file
    monkeypatch.setenv(f"VISAGRAM_{name.upper()}", _text(from_environment))
    assert getattr(Settings.load(), name) == from_environment
    assert getattr(Settings.load(**{name: None}), name) == from_environment
    loaded = Settings.load(**{name: from_argument})
    assert getattr(loaded, name) == from_argument
    assert type(getattr(loaded, name)) is type(from_argument)
    # The others keep their defaults.
    assert dataclasses.replace(loaded, **{name: default}) == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_values_from_text_and_from_toml_have_the_settings_own_type(name, tmp_path, monkeypatch):
    value = OTHER[name][0]
    (tmp_path / "visagram.toml").write_text(f'{name} = "{_text(value)}"\n')
    found = getattr(Settings.load(), name)
    assert (found, type(found)) == (value, type(value))


def test_an_empty_variable_is_not_set(monkeypatch):
    monkeypatch.setenv("VISAGRAM_SEED", "")
    assert Settings.load() == Settings()


def test_the_file_can_lie_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "visagram.toml").write_text("seed = 1\n")
    (tmp_path / "other.toml").write_text("seed = 2\n")
    monkeypatch.setenv("VISAGRAM_CONFIG", str(tmp_path / "other.toml"))
    assert Settings.load().seed == 2


def test_a_file_that_was_named_but_is_missing_is_said(monkeypatch):
    monkeypatch.setenv("VISAGRAM_CONFIG", "no-such.toml")
    with pytest.raises(UsageError, match=r"no-such\.toml"):
        Settings.load()


BAD = [
    ("start", -1.0),
    ("start", math.nan),
    ("start", math.inf),
    ("end", 0.0),
    ("end", -3.0),
    ("end", math.nan),
    ("end", math.inf),
    ("sample_fps", 0.0),
    ("sample_fps", -5.0),
    ("sample_fps", math.nan),
    ("sample_fps", 1e9),
    ("frame_interval", 0),
    ("frame_interval", 10**6),
    ("frame_interval", 2.5),
    ("frame_interval", True),
    ("frame_interval", None),
    ("stream", -1),
    ("stream", "1"),
    ("start", "1"),
    ("start", True),
    ("start", 1e300),
    ("start", 10**400),
    ("start", 1j),
    ("start", np.array([1.0])),
    ("sample_fps", "5"),
    ("sample_fps", b"5"),
    ("sample_fps", np.True_),
    ("region", "1234"),
    ("region", (0, 0, 1.5, 2)),
    ("region", (0, 0, 10, 10**12)),
    ("region", {1: 2, 3: 4, 5: 6, 7: 8}),
    ("detect_size", 640.5),
    ("detect_size", True),
    ("detect_size", "6" * 5000),
    ("seed", 10**400),
    ("seed", np.nan),
    ("emotion", 5),
    ("models", b"here"),
    ("prior", "odd"),
    ("prior", "angry=1"),
    ("refine", "yes"),
    ("worker_memory", 10**12),
    ("region", (0, 0, 0, 10)),
    ("region", (0, 0, 10, -1)),
    ("region", (-1, 0, 10, 10)),
    ("region", (1, 2, 3)),
    ("min_face", 0),
    ("min_face", -5),
    ("min_face", 10**9),
    ("detect_every", -1),
    ("detect_every", 101),
    ("detect_size", ""),
    ("detect_size", "big"),
    ("detect_size", "63"),
    ("detect_size", "99999"),
    ("detect_size", "-640"),
    ("detect_size", "²"),
    ("seed", -1),
    ("smooth", -0.1),
    ("smooth", 10.1),
    ("smooth", math.nan),
    ("emotion", ""),
    ("emotion", "a\x07b"),
    ("detector", ""),
    ("models", "a\0b"),
    ("offline", "perhaps"),
    ("offline", 1),
    ("refine", "perhaps"),
    ("processes", -1),
    ("processes", 257),
    ("max_pixels", 0),
    ("max_duration", -1.0),
    ("max_duration", math.nan),
    ("max_streams", 0),
    ("worker_memory", 0),
    ("stall_timeout", 0.0),
    ("stall_timeout", math.nan),
    ("attempts", 0),
]


TEXTS = ("detect_size", "emotion", "detector", "models")


def test_every_setting_can_be_wrong():
    assert {name for name, _ in BAD} == set(NAMES)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_makes_no_sense_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=rf"\b{name}\b"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TEXTS])
@pytest.mark.parametrize("source", ["file", "environment"])
def test_text_that_is_no_value_is_refused_by_name_and_source(name, source, tmp_path, monkeypatch):
    if source == "file":
        (tmp_path / "visagram.toml").write_text(f'{name} = "many"\n')
        place = r"visagram\.toml"
    else:
        monkeypatch.setenv(f"VISAGRAM_{name.upper()}", "many")
        place = f"VISAGRAM_{name.upper()}"
    with pytest.raises(UsageError, match=f"(?s){place}.*{name}|{name}"):
        Settings.load()


@pytest.mark.parametrize(
    "text", ["seed = 1.5", "seed = true", "start = true", "region = [0.5, 1, 2, 3]", "detect_every = [1]"]
)
def test_a_toml_value_of_another_type_is_refused_rather_than_bent(text, tmp_path):
    (tmp_path / "visagram.toml").write_text(text)
    with pytest.raises(UsageError, match=text.split()[0]):
        Settings.load()


def test_a_setting_that_does_not_exist_is_refused_and_the_others_are_named(tmp_path):
    (tmp_path / "visagram.toml").write_text("sede = 1\n")
    with pytest.raises(UsageError, match=r"sede.*seed"):
        Settings.load()


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "visagram.toml").write_text("seed == 1\n")
    with pytest.raises(UsageError, match=r"visagram\.toml"):
        Settings.load()


class _Model(StrEnum):
    OURS = "visagram"


@pytest.mark.parametrize(
    ("name", "given", "own"),
    [
        ("start", 10, 10.0),
        ("start", np.float32(1.5), 1.5),
        ("start", np.int64(3), 3.0),
        ("start", np.array(2.0), 2.0),
        ("start", Fraction(1, 4), 0.25),
        ("start", Decimal("0.5"), 0.5),
        ("end", np.float64(2), 2.0),
        ("sample_fps", 5, 5.0),
        ("frame_interval", np.int64(3), 3),
        ("frame_interval", np.uint8(3), 3),
        ("frame_interval", 2.0, 2),
        ("frame_interval", np.float64(2), 2),
        ("stream", np.int32(1), 1),
        ("region", [1, 2, 3, 4], (1, 2, 3, 4)),
        ("region", np.array([1, 2, 3, 4]), (1, 2, 3, 4)),
        ("region", (np.int16(1), 2.0, 3, 4), (1, 2, 3, 4)),
        ("detect_size", 640, "640"),
        ("detect_size", np.int64(640), "640"),
        ("emotion", np.str_("deepface"), "deepface"),
        ("emotion", _Model.OURS, "visagram"),
        ("models", Path("here"), "here"),
        ("refine", np.True_, True),
        ("max_duration", 5, 5.0),
    ],
    ids=repr,
)
def test_a_value_of_a_kindred_type_is_taken_as_the_settings_own(name, given, own):
    found = getattr(Settings(**{name: given}), name)
    assert (found, type(found)) == (own, type(own))
    if isinstance(own, tuple):
        assert {type(part) for part in found} == {type(own[0])}


def test_zero_has_one_text():
    assert json.dumps(Settings(start=-0.0).for_report()["start"]) == "0.0"


def test_a_refusal_says_what_is_wanted_and_shows_no_endless_value():
    with pytest.raises(
        UsageError, match=r"frame_interval is 2\.5; it must be a whole number at least 1 and at most 100,000"
    ):
        Settings(frame_interval=2.5)
    with pytest.raises(UsageError) as caught:
        Settings(emotion="x" * 100_000 + "\0")
    assert len(str(caught.value)) < 400


def _numbers():
    plain = st.one_of(st.integers(), st.integers(-3, 3000), st.floats(), st.floats(-1, 100))
    kinds = (np.float32, np.float64, np.int64, np.uint8, np.array, str, Fraction, Decimal, bool)

    def as_kind(value, kind):
        try:
            with np.errstate(all="ignore"):
                return kind(value)
        except (ValueError, OverflowError, TypeError):
            return value

    return st.one_of(plain, st.builds(as_kind, plain, st.sampled_from(kinds)))


def _anything():
    simple = st.one_of(_numbers(), st.none(), st.booleans(), st.text(max_size=8), st.binary(max_size=4))
    texts = st.sampled_from(["auto", "full", "640", "visagram", "0,0,10,10", "a.b", "127.0.0.1", "x" * 20])
    lists = st.one_of(st.lists(simple, max_size=5), st.lists(st.integers(0, 500), min_size=4, max_size=4))
    arrays = lists.filter(lambda found: all(type(each) is int for each in found)).map(
        lambda found: np.array(found, object).astype(np.float64)
    )
    groups = st.one_of(lists, lists.map(tuple), arrays)
    return st.one_of(simple, texts, texts.map(Path), groups, st.dictionaries(st.text(), st.integers(), max_size=4))


_TYPES = {"int": int, "float": float, "bool": bool, "str": str, "tuple[": tuple}


@pytest.mark.parametrize(
    ("kind", "name"), [(Settings, name) for name in NAMES] + [(ServerSettings, name) for name in SERVER_NAMES]
)
def test_whatever_is_accepted_survives_json_and_has_the_declared_types(kind, name):
    accepted = []

    @hypothesis.settings(max_examples=40)
    @hypothesis.example(OTHER[name][0] if kind is Settings else getattr(kind(), name))
    @given(st.one_of(_anything(), st.sampled_from(["x" * 20, ["a", "b"], 1, True])))
    def check(value):
        try:
            settings = kind(**{name: value})
        except UsageError as error:
            assert name in str(error) or "event_streams" in str(error)
            return
        accepted.append(value)
        text = json.dumps(dataclasses.asdict(settings), allow_nan=False)
        again = kind(**json.loads(text))
        assert again == settings
        assert json.dumps(dataclasses.asdict(again)) == text
        for field in dataclasses.fields(kind):
            own, declared = getattr(settings, field.name), str(field.type)
            wanted = next(found for start, found in _TYPES.items() if declared.startswith(start))
            assert type(own) is wanted or (own is None and declared.endswith("| None"))
        if kind is Settings:
            report = settings.for_report()
            assert kind(**json.loads(json.dumps(report, allow_nan=False))).for_report() == report

    check()
    assert accepted, "nothing was accepted, so nothing was tried"


@pytest.mark.parametrize("name", ["SEDE", "START_", "WORKER_MEMROY", "seed", "FOO"])
def test_a_variable_that_means_nothing_is_refused_and_the_nearest_is_named(name, monkeypatch):
    near = {"SEDE": "SEED", "START_": "START", "WORKER_MEMROY": "WORKER_MEMORY", "seed": "SEED", "FOO": ""}[name]
    monkeypatch.setenv(f"VISAGRAM_{name}", "1")
    for kind in (Settings, ServerSettings):
        with pytest.raises(UsageError, match=f"VISAGRAM_{name}.*did you mean VISAGRAM_{near}"):
            kind.load()
    monkeypatch.setenv(f"VISAGRAM_{name}", "")
    assert Settings.load() == Settings()


def test_variables_of_the_server_and_of_others_are_no_mistake(monkeypatch):
    for name in ("VISAGRAM_PORT", "VISAGRAM_KEEP_DAYS", "VISAGRAMX", "MY_VISAGRAM_SEED"):
        monkeypatch.setenv(name, "7")
    assert Settings.load() == Settings()
    assert ServerSettings.load().keep_days == 7


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().seed = 1


def test_the_report_keeps_what_the_result_depends_on_and_nothing_else():
    kept = Settings(region=(1, 2, 3, 4)).for_report()
    assert kept["region"] == [1, 2, 3, 4]
    times, faces = {"start", "end", "sample_fps", "frame_interval", "stream"}, {"region", "min_face", "refine", "prior"}
    assert set(kept) == times | faces | {
        "detect_every",
        "detect_size",
        "seed",
        "smooth",
        "emotion",
        "detector",
        "refine",
    }


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_a_switch_can_be_set_in_words(text, value, monkeypatch):
    monkeypatch.setenv("VISAGRAM_OFFLINE", text)
    assert Settings.load().offline is value


def test_the_folder_of_fetched_models_can_be_chosen(tmp_path):
    assert Settings(models=str(tmp_path)).models_folder == tmp_path
    assert Settings(models="near").models_folder == tmp_path / "near"
    assert Settings().models_folder.name == "models"


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "", "1.5,2,3,4", "--1,2,3,4", "²,1,1,1"])
def test_a_region_that_is_not_four_numbers_is_refused(text):
    with pytest.raises(UsageError, match="x,y,w,h"):
        parse_region(text)


def test_a_region_may_have_spaces():
    assert parse_region("1, 2, 30 ,40") == (1, 2, 30, 40)


def test_a_form_gives_settings_by_name_and_only_those_that_decide_the_result():
    given = {"start": "1.5", "region": "1,2,3,4", "frame_interval": "5", "end": "", "seed": None, "min_face": 30}
    assert Settings.parse(given) == {"start": 1.5, "region": (1, 2, 3, 4), "frame_interval": 5, "min_face": 30}
    for name in ("worker_memory", "no_such"):
        with pytest.raises(UsageError, match=name):
            Settings.parse({name: "1"})
    with pytest.raises(UsageError, match="start"):
        Settings.parse({"start": "soon"})


def test_server_settings_stand_in_their_own_table(tmp_path, monkeypatch):
    (tmp_path / "visagram.toml").write_text('seed = 3\n[server]\nport = 8080\nallowed_hosts = ["lab.example", "b"]\n')
    assert Settings.load().seed == 3
    server = ServerSettings.load()
    assert (server.port, server.allowed_hosts) == (8080, ("lab.example", "b"))
    monkeypatch.setenv("VISAGRAM_PORT", "8081")
    monkeypatch.setenv("VISAGRAM_ALLOWED_HOSTS", "one, two")
    server = ServerSettings.load(workers=3)
    assert (server.port, server.allowed_hosts, server.workers) == (8081, ("one", "two"), 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("port", "5000"),
        ("port", 80.5),
        ("allowed_hosts", "lab.example"),
        ("allowed_hosts", [1, 2]),
        ("data", "a\0b"),
        ("keep_days", math.nan),
        ("keep_days", math.inf),
        ("threads", 0),
        ("host", ""),
        ("workers", -1),
        ("token", "short"),
        ("event_streams", 128),
        ("max_upload", 0),
        ("keep_days", -1.0),
        ("lease_seconds", 0.0),
    ],
)
def test_a_server_setting_that_makes_no_sense_is_refused_by_name(name, value):
    with pytest.raises(UsageError, match=rf"\b({name}|event_streams)\b" if name == "threads" else rf"\b{name}\b"):
        ServerSettings(**{name: value})


def test_server_settings_take_what_settings_take(tmp_path):
    server = ServerSettings(data=tmp_path, allowed_hosts=["b.example", "a.example"], port=np.int64(80), keep_days=3)
    assert (server.data, server.allowed_hosts) == (str(tmp_path), ("b.example", "a.example"))
    assert (type(server.port), type(server.keep_days)) == (int, float)


def test_the_data_folder_is_the_users_own_by_default(tmp_path):
    assert ServerSettings(data=str(tmp_path)).folder == tmp_path
    assert ServerSettings().folder.name == "visagram"


def test_there_is_at_least_one_core():
    assert cores() >= 1


def test_every_setting_has_a_help_text():
    for field in [*dataclasses.fields(Settings), *dataclasses.fields(ServerSettings)]:
        assert field.metadata["help"].endswith("."), field.name
