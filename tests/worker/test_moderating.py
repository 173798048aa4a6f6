"""What becomes of a task that asks for too much, or whose picture shows too much."""

from pathlib import Path

import pytest

from tintype.domain.lifecycle import Status
from tintype.domain.prompt import LONGEST_READ
from tintype.domain.task import FAILURE, Task
from tintype.moderation.policy import read_policy
from tintype.storage import moderation
from worker.workshop import Hosts, Workshop

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]

SENTENCE = "You can provide a callback URL"
NOTE = "callbackUrl is not an absolute http(s) URL; no callback will be sent."
EVERYTHING = "[picture]\nsexual = [0, 0, 0, 0, 0, 0, 0]\n"


async def say(workshop: Workshop, text: str) -> None:
    """The project's own policy."""
    await workshop.database.write(
        lambda connection: moderation.set_policy(connection, workshop.project.id, read_policy(text))
    )


async def ended(workshop: Workshop, task: Task, hosts: Hosts | None = None) -> Task:
    async with workshop.working(hosts):
        return await workshop.ends(task)


def assert_refused(task: Task, text: str) -> None:
    assert (task.status, task.exit_code) == (Status.POSTPROCESS_END, FAILURE)
    assert task.debug_error == text
    assert (task.outputs, task.total_cost) == ((), 0)


async def test_a_refused_prompt_ends_its_task_before_an_engine_has_it(workshop: Workshop) -> None:
    hosts = Hosts()
    task = await workshop.run("a dismembered body")

    async with workshop.events(task) as events:
        refused = await ended(workshop, task, hosts)

    assert_refused(refused, "Request moderated (stage: prompt, category: violence, score: 0.88)")
    assert refused.moments.preprocess_start <= refused.moments.preprocess_end <= refused.moments.end
    assert (refused.moments.assign, refused.moments.start) == (0, 0)
    assert [event.type for event in events] == [
        "task_accept",
        "task_preprocess_start",
        "task_preprocess_end",
        "task_end",
        "task_postprocess_end",
    ]
    assert hosts.said == []
    assert await workshop.charges() == {}


async def test_the_tolerance_that_was_asked_for_counts(workshop: Workshop) -> None:
    strict = await workshop.run("a nude statue", safetyTolerance=2)
    lax = await workshop.run("a nude statue", safetyTolerance=3)

    async with workshop.working():
        assert (await workshop.ends(strict)).exit_code == FAILURE
        assert (await workshop.ends(lax)).succeeded


async def test_a_project_may_have_a_policy_of_its_own(workshop: Workshop) -> None:
    await say(workshop, "prompt=off")
    unmoderated = await workshop.run("hardcore porn", safetyTolerance=0)
    forbidden = await workshop.run("a nude child", safetyTolerance=6)
    async with workshop.working():
        assert (await workshop.ends(unmoderated)).succeeded
        refused = await workshop.ends(forbidden)
    assert_refused(refused, "Request moderated (stage: prompt, category: minors, score: 0.99)")

    await say(workshop, "prompt=1")
    tightened = await workshop.run("a murder in the library", safetyTolerance=6)
    assert (await ended(workshop, tightened)).exit_code == FAILURE

    await say(workshop, "default")
    back = await workshop.run("a murder in the library", safetyTolerance=6)
    assert (await ended(workshop, back)).succeeded


async def test_the_operators_policy_counts_for_all_projects(workshop: Workshop) -> None:
    workshop.settings = {"moderation": "prompt=0"}
    task = await workshop.run("a bleeding heart", safetyTolerance=6)

    refused = await ended(workshop, task)

    assert_refused(refused, "Request moderated (stage: prompt, category: violence, score: 0.35)")


async def test_an_operators_own_terms_count(workshop: Workshop, tmp_path: Path) -> None:
    terms = tmp_path / "terms.toml"
    terms.write_text('[terms]\nforgery = ["acme banknote*"]\n')
    workshop.settings = {"moderation_terms": str(terms)}
    task = await workshop.run("an ACME banknote")

    refused = await ended(workshop, task)

    assert_refused(refused, "Request moderated (stage: prompt, category: illegal, score: 0.80)")


async def test_a_very_long_prompt_is_read_as_far_as_it_is_drawn(workshop: Workshop) -> None:
    last_words = " with a beheaded man"
    lake = "lake " * (LONGEST_READ // 5)
    task = await workshop.run(lake[: LONGEST_READ - len(last_words)] + last_words + " asleep" * 10_000)

    refused = await ended(workshop, task)

    assert_refused(refused, "Request moderated (stage: prompt, category: violence, score: 0.96)")


async def test_what_no_engine_reads_is_not_judged(workshop: Workshop) -> None:
    task = await workshop.run("lake " * (LONGEST_READ // 5 + 1) + "with a beheaded man")

    assert (await ended(workshop, task)).succeeded


async def test_a_refusal_stands_before_any_other_note(workshop: Workshop) -> None:
    task = await workshop.service.submit(
        workshop.project,
        workshop.service.catalogue["black-forest-labs/flux-2-flex-t2i"],
        {"prompt": "a beheaded man", "width": 64, "height": 64, "steps": 1},
        callback_url=SENTENCE,
    )

    refused = await ended(workshop, task)

    refusal = "Request moderated (stage: prompt, category: violence, score: 0.96)"
    assert_refused(refused, f"{refusal}\n{NOTE}")


async def test_a_refused_picture_is_not_kept(workshop: Workshop, slow: str, tmp_path: Path) -> None:
    levels = tmp_path / "levels.toml"
    levels.write_text(EVERYTHING)
    workshop.settings = {"moderation_levels": str(levels)}
    hosts = Hosts(slow)
    task = await workshop.run(steps=1)

    refused = await ended(workshop, task, hosts)

    assert refused.debug_error.startswith("Content moderated (stage: image, category: sexual, score: 0.")
    assert_refused(refused, refused.debug_error)
    assert refused.moments.start > 0
    assert not any(type(event).__name__ == "Drawn" for event in hosts.said)
    assert workshop.stored() == []
    assert await workshop.charges() == {}


async def test_a_picture_is_kept_where_its_gate_is_off(workshop: Workshop, slow: str, tmp_path: Path) -> None:
    levels = tmp_path / "levels.toml"
    levels.write_text(EVERYTHING)
    workshop.settings = {"moderation_levels": str(levels)}
    await say(workshop, "image=off")
    task = await workshop.run(steps=1)

    assert (await ended(workshop, task, Hosts(slow))).succeeded
