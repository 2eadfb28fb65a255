"""The command line, ``benchgen``.

Conventions
-----------
* Results go to stdout, progress and errors to stderr; ``--json`` makes stdout one
  JSON object.
* Exit code 0: done. 1: a check failed, or the machine did (one line says which). 2:
  the input was at fault (one line says how). A traceback is shown under ``--debug``
  alone, which may stand anywhere on the line.
* Every verb is a module of ``benchgen.commands``, which imports what it needs when it runs:
  importing this module is quick. No other part of ``benchgen`` knows the other packages.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import Abort, Exit, TyperException

from benchgen.commands.audit import audit
from benchgen.commands.board import board
from benchgen.commands.compare import compare
from benchgen.commands.eval import evaluate
from benchgen.commands.export import export
from benchgen.commands.gallery import gallery
from benchgen.commands.import_ import import_
from benchgen.commands.power import power
from benchgen.commands.publish import publish
from benchgen.commands.quickstart import quick_start
from benchgen.commands.replay import replay
from benchgen.commands.show import show
from benchgen.commands.study import study
from benchgen.commands.submit import submit
from benchgen.commands.synth import synth
from benchgen.commands.tasks import tasks
from benchgen.commands.train import train
from benchgen.commands.verify import verify
from benchgen.console import note
from benchgen.errors import InputError, RunIncomplete
from benchgen.preload import start_with_preloads

app = typer.Typer(
    name="benchgen",
    help="Synthesize problems whose answers are known, ask models, rank them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def benchgen(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (any place will do).")
    ] = False,
) -> None:
    """Synthesize problems whose answers are known, ask models, rank them."""


app.command("synth")(synth)
app.command("show")(show)
app.command("tasks")(tasks)
app.command("gallery")(gallery)
app.command("verify")(verify)
app.command("audit")(audit)
app.command("eval")(evaluate)
app.command("train")(train)
app.command("study")(study)
app.command("replay")(replay)
app.command("compare")(compare)
app.command("power")(power)
app.command("board")(board)
app.command("submit")(submit)
app.command("publish")(publish)
app.command("export")(export)
app.command("import")(import_)
app.command("quickstart")(quick_start)


TRAINING = {"train", "study"}
"""The verbs that compute long in this process."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, the process's own if none is given, and exit with its code."""
    # ``--debug`` may stand before the verb.
    if arguments is None and TRAINING.intersection(sys.argv[1:3]):
        start_with_preloads()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        command = typer.main.get_command(app)
        # Not ``app(words)``, which turns Ctrl-C and a closed pipe into exits of its own.
        with command.make_context("benchgen", words) as context:
            code = command.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Exit as leave:
        return leave.exit_code
    except BrokenPipeError:
        # The reader of our output (head, say) has had enough; nothing is left to tell it.
        _silence_stdout()
        return 0
    except (KeyboardInterrupt, Abort):
        note("benchgen: interrupted; run the same command to go on")
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        note(f"benchgen: {_explained(error, debug)}")
        return 2 if isinstance(error, InputError | TyperException) else 1


def _explained(error: Exception, debug: bool) -> str:
    from benchgen.executors import ExecutorError

    if isinstance(error, TyperException):
        return _one_line(error.format_message())
    if isinstance(error, InputError | ExecutorError | RunIncomplete):
        return _one_line(str(error))
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return _one_line(f"{error.strerror}{where}")
    hint = "" if debug else "; --debug shows where"
    return _one_line(f"internal error: {type(error).__name__}: {error}{hint}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _silence_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
