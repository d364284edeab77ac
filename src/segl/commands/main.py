"""The command `segl`: all commands together, and `segl sandbox`."""

import sys
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

import segl
from segl.commands import diagnosing, operating, verifying
from segl.commands.terminal import fail

app = typer.Typer(
    help="Segl: electronic signing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(verifying.app)
app.add_typer(diagnosing.app)
app.add_typer(operating.app)


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows a replacement
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segl {segl.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def sandbox(
    *,
    folder: Annotated[Path, typer.Option(help="Where the sandbox keeps its state.")] = Path(".segl"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The API's port; 0: the same as last time, or any free port.")
    ] = 0,
    web_port: Annotated[
        int, typer.Option(min=0, max=65535, help="The pages' port; 0: the same as last time, or any free port.")
    ] = 0,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="JSON for clients, written once calls are accepted; by default in the folder."),
    ] = None,
    database: Annotated[str | None, typer.Option(help="PostgreSQL URL; by default SQLite in the folder.")] = None,
    calls_per_second: Annotated[
        int, typer.Option(min=0, max=1000, help="Senders that call more often are blocked for 30 s; 0: no limit.")
    ] = 10,
    poll_seconds: Annotated[
        int, typer.Option(min=1, max=3600, help="How long clients have to wait after polling an empty queue.")
    ] = 1,
    while_process: Annotated[
        int | None, typer.Option(min=1, help="Exit when the process with this ID has ended.")
    ] = None,
) -> None:
    """Run a whole signing service on this machine, with test certificates and a test eID, until Ctrl-C."""
    from segl.core.errors import SeglError

    try:
        from segl.sandbox.run import run_sandbox

        run_sandbox(
            folder=folder,
            port=port,
            web_port=web_port,
            ready_file=ready_file or folder / "ready.json",
            database_url=database,
            calls_per_second=calls_per_second,
            poll_seconds=poll_seconds,
            while_process=while_process,
            on_ready=_print_ready,
        )
    except ModuleNotFoundError as error:
        fail(f"The sandbox needs {error.name}, which is not installed; install segl[sandbox].")
    except SeglError as error:
        fail(str(error))
    except OSError as error:
        fail(f"The sandbox cannot use {error.filename}: {error.strerror}; choose another place with --folder.")


def _print_ready(ready: Mapping[str, Any]) -> None:
    typer.echo(
        f"The sandbox is ready; nothing it signs has legal effect. Ctrl-C ends it.\n  API     {ready['api_root']}"
    )
    typer.echo(f"  Pages   {ready['web_root']}\n  Outbox  {ready['outbox']}")
    typer.echo(f"  Senders {', '.join(each['number'] + ' ' + each['name'] for each in ready['organizations'])}")
