"""The WebSocket while a real engine draws."""

from api.listener import listening
from serving import Server


def test_check_73_progress_is_told_in_strings(server: Server) -> None:
    task = server.run(steps=20, width=256, height=256)
    with listening(server.url, task.token) as listener:
        frames = listener.through("task_postprocess_end")

    progress = [frame["message"] for frame in frames if frame["type"] == "task_output"]
    assert progress
    for message in progress:
        assert all(isinstance(value, str) for value in message.values())
        assert (message["type"], message["task"]) == ("progressGenerate", "Generate")
        assert 0 <= float(message["percentage"]) <= 100
    assert (progress[-1]["stepCurrent"], progress[-1]["stepTotal"]) == ("20", "20")
    steps = [int(message["stepCurrent"]) for message in progress]
    assert steps == sorted(steps)


def test_a_task_is_killed_while_it_is_followed(server: Server) -> None:
    task = server.run_long()
    with listening(server.url, task.token) as listener:
        listener.through("task_output")
        task.kill()

        last = listener.through("task_cancel")[-1]

        assert (last["message"], last["success"], last["exitCode"]) == (None, False, None)
        assert listener.close_code() == 1000
    assert task.detail().cancelled
