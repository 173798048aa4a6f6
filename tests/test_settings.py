"""Settings are read once, checked at once, and documented completely."""

from pathlib import Path

import pytest

from tintype.domain.errors import BadSetting
from tintype.settings import knobs, read_settings

DOCUMENT = Path(__file__).parent.parent / "docs" / "settings.md"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('port = 1001\nhost = "0.0.0.0"\n')

    settings = read_settings({"TINTYPE_CONFIG": str(file), "TINTYPE_PORT": "1002"})

    assert (settings.port, settings.host) == (1002, "0.0.0.0")


def test_what_is_not_set_follows_from_what_is(tmp_path: Path) -> None:
    settings = read_settings({"TINTYPE_DATA": str(tmp_path), "TINTYPE_PORT": "9000"})

    assert settings.public_url == "http://127.0.0.1:9000"
    assert settings.database_url == f"sqlite:///{tmp_path}/tintype.db"
    assert settings.files_url == str(tmp_path / "files")


def test_a_public_url_loses_its_last_slash() -> None:
    assert read_settings({"TINTYPE_PUBLIC_URL": "https://draw.example/"}).public_url == "https://draw.example"


def test_an_empty_variable_is_not_set() -> None:
    assert read_settings({"TINTYPE_PORT": ""}).port == 8080


@pytest.mark.parametrize(("word", "meant"), [("yes", True), ("True", True), ("1", True), ("no", False)])
def test_yes_and_no_have_many_spellings(word: str, meant: bool) -> None:
    assert read_settings({"TINTYPE_FETCH_ALLOW_PRIVATE": word}).fetch_allow_private is meant


def test_the_variables_of_the_client_are_no_settings() -> None:
    read_settings({"TINTYPE_URL": "http://127.0.0.1:1", "TINTYPE_KEY": "k", "TINTYPE_SECRET": "s"})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TINTYPE_PORT": "eighty"}, "TINTYPE_PORT: must be a whole number, not 'eighty'"),
        ({"TINTYPE_PORT": "70000"}, "TINTYPE_PORT: must be between 1 and 65535"),
        ({"TINTYPE_FETCH_ALLOW_PRIVATE": "maybe"}, "FETCH_ALLOW_PRIVATE: must be yes or no, not 'maybe'"),
        ({"TINTYPE_PROT": "80"}, "TINTYPE_PROT: is not a setting; did you mean TINTYPE_PORT?"),
        ({"TINTYPE_PUBLIC_URL": "draw.example"}, "TINTYPE_PUBLIC_URL: must be an absolute http(s) URL"),
        ({"TINTYPE_BOOTSTRAP_KEY": "k"}, "go together; one of them is missing"),
        ({"TINTYPE_LOG_LEVEL": "loud"}, "TINTYPE_LOG_LEVEL: must be one of debug, info, warning, error"),
        ({"TINTYPE_DTYPE": "float16"}, "TINTYPE_DTYPE: must be one of auto, float32, bfloat16"),
        ({"TINTYPE_OFFLOAD": "some"}, "TINTYPE_OFFLOAD: must be one of none, text, all"),
        ({"TINTYPE_QUANTISATION": "int4"}, "TINTYPE_QUANTISATION: must be one of none, int8, nf4"),
        ({"TINTYPE_PATIENCE": "0"}, "TINTYPE_PATIENCE: must be positive"),
        ({"TINTYPE_SILENCE": "1"}, "TINTYPE_SILENCE: must be at least twice TINTYPE_HEARTBEAT"),
        ({"TINTYPE_CONFIG": "/no/such/file.toml"}, "TINTYPE_CONFIG: cannot read /no/such/file.toml"),
    ],
)
def test_a_bad_setting_names_itself_and_what_would_be_right(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings(environment)

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_secret_shows_in_the_settings() -> None:
    settings = read_settings(
        {
            "TINTYPE_BOOTSTRAP_KEY": "open-sesame",
            "TINTYPE_BOOTSTRAP_SECRET": "hush-hush",
            "TINTYPE_DATABASE_URL": "postgresql://tintype:hush-hush@db/tintype",
        }
    )

    assert "hush-hush" not in repr(settings)
    assert "open-sesame" not in repr(settings)


@pytest.mark.parametrize("knob", knobs(), ids=lambda knob: knob.name)
def test_every_setting_is_documented(knob) -> None:
    row = f"| `TINTYPE_{knob.name.upper()}` | {knob.metadata['description'].replace('|', chr(92) + '|')} |"

    assert row in DOCUMENT.read_text("utf-8")
