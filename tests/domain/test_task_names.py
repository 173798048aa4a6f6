"""What a caller may call a task."""

import pytest

from tintype.domain.task import TaskName, name_task
from tintype.domain.tokens import new_token


@pytest.mark.parametrize(
    ("task_id", "token", "kind", "value"),
    [
        ("2221", "", "id", "2221"),
        ("", "eDcCm5yyUfIvMFspTwww49OUfgXkQt", "token", "eDcCm5yyUfIvMFspTwww49OUfgXkQt"),
        ("2221", "eDcCm5yyUfIvMFspTwww49OUfgXkQt", "token", "eDcCm5yyUfIvMFspTwww49OUfgXkQt"),
        ("", "2221", "id", "2221"),
        ("7", "2221", "id", "2221"),
        ("test", "", "token", "test"),
    ],
)
def test_check_37_38_39_a_token_counts_before_an_id_and_digits_are_an_id(
    task_id: str, token: str, kind: str, value: str
) -> None:
    name = name_task(task_id=task_id, token=token)

    assert name is not None
    assert (name.kind, name.value) == (kind, value)


def test_nobody_is_named_by_nothing() -> None:
    assert name_task(task_id="", token="") is None


def test_other_digits_than_ascii_are_no_id() -> None:
    assert name_task(task_id="²", token="") == TaskName(kind="token", value="²")


def test_check_28_tokens_have_thirty_characters_a_letter_and_no_twin() -> None:
    tokens = {new_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert all(len(token) == 30 and token.isalnum() and token.isascii() for token in tokens)
    assert not any(token.isdigit() for token in tokens)
