"""Prompts become embeddings once."""

import threading

import pytest

from tintype.domain.prompt import LONGEST_READ
from tintype.engine.flux2.engine import Flux2Engine

from .drawing import draw
from .jobs import job


def test_a_prompt_is_encoded_once(engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    text = engine._checkpoint.text
    encode = text._encode
    monkeypatch.setattr(text, "_encode", lambda prompt: (encoded.append(prompt), encode(prompt))[1])

    draw(engine, job(prompt="two cats"), job(prompt="two cats"), job(prompt=""))

    assert encoded == ["two cats"]


def test_remembered_prompts_stay_within_their_memory(engine: Flux2Engine) -> None:
    text = engine._checkpoint.text
    text._remembered.most_bytes = 3 * text.empty.nbytes

    for number in range(10):
        text.embed(f"kite {number}")

    assert text._remembered.names() == ["kite 7", "kite 8", "kite 9"]
    assert text._remembered.bytes == 3 * text.empty.nbytes


def test_only_the_beginning_of_an_endless_prompt_is_looked_at(
    engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenized: list[int] = []
    text = engine._checkpoint.text
    tokenize = text._tokenize
    monkeypatch.setattr(
        text, "_tokenize", lambda prompt: (tokenized.append(len(prompt)), tokenize(prompt))[1]
    )
    endless = "two cats " * 500_000
    long = ("two cats " * 8_000)[:LONGEST_READ]

    embeddings = [text.embed(prompt) for prompt in (endless, long)]

    assert tokenized == [LONGEST_READ]
    assert embeddings[0] is embeddings[1]


def test_what_is_remembered_is_there_while_another_prompt_is_encoded(
    engine: Flux2Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = engine._checkpoint.text
    known = text.embed("two cats")
    encoding, go = threading.Event(), threading.Event()
    encode = text._encode

    def slow(prompt: str) -> object:
        encoding.set()
        assert go.wait(30)
        return encode(prompt)

    monkeypatch.setattr(text, "_encode", slow)
    other = threading.Thread(target=engine.prepare, args=(job(prompt="a dog"),))
    other.start()
    assert encoding.wait(30)

    assert text.embed("two cats") is known
    assert text.embed("") is text.empty
    assert engine.is_prepared(job(prompt="two cats"))
    assert not engine.is_prepared(job(prompt="a dog"))
    go.set()
    other.join(30)

    assert engine.is_prepared(job(prompt="a dog"))
