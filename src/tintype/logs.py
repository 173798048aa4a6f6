"""Log events with fields, one formatter for the whole process. Goes to stderr; stdout is for people."""

import json
import logging
import sys

import structlog


def set_up_logs(*, form: str, level: str) -> None:
    """`form` is `console` or `json`, `level` a name such as `info`."""
    render: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # others print local values: prompts, secrets
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([structlog.processors.format_exc_info] if form == "json" else []),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))


def relay(line: str) -> None:
    """A line that an engine host wrote: an event of its own, or what a library had to say."""
    log = structlog.get_logger()
    try:
        fields = json.loads(line)
        event = fields.pop("event")
    except (ValueError, AttributeError, KeyError, TypeError):
        log.debug("engine_said", line=line)
    else:
        log.info(event, **fields)
