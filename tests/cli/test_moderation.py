"""`tintype project set --moderation`, and what `tintype draw` refuses."""

import json
from pathlib import Path

from cli.commands import tintype


def test_a_projects_moderation_is_set_and_shown(tmp_path: Path) -> None:
    tintype("project", "create", "--name", "shop", cwd=tmp_path, data="data")

    policy = "prompt=off,image=2"
    changed = tintype("project", "set", "shop", "--moderation", policy, "--json", cwd=tmp_path, data="data")
    shown = tintype("project", "show", "shop", "--json", cwd=tmp_path, data="data")

    assert json.loads(changed.stdout)["moderation"] == policy
    assert json.loads(shown.stdout)["moderation"] == policy


def test_a_policy_that_means_nothing_is_one_clear_line(tmp_path: Path) -> None:
    tintype("project", "create", "--name", "shop", cwd=tmp_path, data="data")

    done = tintype("project", "set", "shop", "--moderation", "lax", cwd=tmp_path, data="data")

    assert done.returncode == 2
    assert done.stderr.startswith(
        "tintype: 'lax' is no moderation policy; right are default, off, a greatest"
    )
    assert done.stderr.count("\n") == 1


def test_a_refused_prompt_is_not_drawn(tmp_path: Path) -> None:
    done = tintype("draw", "a dismembered body", "-o", "picture.png", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.endswith(
        "tintype: Request moderated (stage: prompt, category: violence, score: 0.88)\n"
    )
    assert not (tmp_path / "picture.png").exists()


def test_bad_terms_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[terms]\nnudes = ["x"]\n')

    done = tintype("serve", cwd=tmp_path, data="data", moderation_terms="own.toml")

    assert done.returncode == 2
    assert done.stderr.startswith("tintype: own.toml: nudes is not one of the lists atrocity, ")
