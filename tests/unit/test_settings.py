from __future__ import annotations

import dataclasses
import math

import pytest

from visagram.errors import UsageError
from visagram.settings import ServerSettings, Settings, cores, parse_region

OTHER = {
    "start": (1.5, 2.5, 3.5),
    "end": (10.0, 20.0, 30.0),
    "sample_fps": (1.0, 2.0, 3.0),
    "frame_interval": (2, 3, 4),
    "region": ((1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12)),
    "min_face": (21, 22, 23),
    "detect_every": (1, 2, 3),
    "detect_size": ("full", "640", "320"),
    "seed": (1, 2, 3),
    "smooth": (0.5, 2.0, 10.0),
    "emotion": ("deepface", "hf:a/b", "onnx:mine.onnx"),
    "detector": ("deepface-retinaface", "other", "third"),
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


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().seed = 1


def test_the_report_keeps_what_the_result_depends_on_and_nothing_else():
    kept = Settings(region=(1, 2, 3, 4)).for_report()
    assert kept["region"] == [1, 2, 3, 4]
    times, faces = {"start", "end", "sample_fps", "frame_interval"}, {"region", "min_face", "refine"}
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
    with pytest.raises(UsageError, match=rf"\b{name}\b"):
        ServerSettings(**{name: value})


def test_the_data_folder_is_the_users_own_by_default(tmp_path):
    assert ServerSettings(data=str(tmp_path)).folder == tmp_path
    assert ServerSettings().folder.name == "visagram"


def test_there_is_at_least_one_core():
    assert cores() >= 1


def test_every_setting_has_a_help_text():
    for field in [*dataclasses.fields(Settings), *dataclasses.fields(ServerSettings)]:
        assert field.metadata["help"].endswith("."), field.name
