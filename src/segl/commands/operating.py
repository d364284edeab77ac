"""The commands of those who run the service: `segl serve`, `segl migrate`, `segl parked` and `segl organization`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segl.commands.terminal import print_json, safe
from segl.core.sector import Sector

if TYPE_CHECKING:
    from segl.service.organizations import RegisteredOrganization

REFUSED = 2
DEFAULT_CONFIGURATION = Path("segl.toml")

app = typer.Typer()
serve = typer.Typer(no_args_is_help=True, help="Run one process of the service, until SIGTERM or Ctrl-C.")
organization = typer.Typer(no_args_is_help=True, help="Manage the organizations that may use the API.")
app.add_typer(serve, name="serve")
app.add_typer(organization, name="organization")

Configuration = Annotated[
    Path, typer.Option("--config", metavar="FILE", envvar="SEGL_CONFIG", help="The configuration (docs/production.md).")
]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="An organization number, 9 digits.")]
Broker = Annotated[str, typer.Argument(metavar="BROKER", help="The broker's organization number.")]
Sender = Annotated[str, typer.Argument(metavar="SENDER", help="The organization number of the sender.")]
Name = Annotated[str, typer.Option(help="The name that signers see.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def _errors_reported() -> Iterator[None]:
    """In the block, an error ends the command with its message."""
    from segl.core.errors import SeglError

    try:
        yield
    except ModuleNotFoundError as error:
        typer.echo(f"segl: This needs {error.name}, which is not installed; install segl[service].", err=True)
        raise typer.Exit(REFUSED) from None
    except SeglError as error:
        for line in str(error).splitlines():
            typer.echo(f"segl: {line}", err=True)
        raise typer.Exit(REFUSED) from None


@contextmanager
def _database(configuration: Path) -> Iterator[None]:
    """In the block, the database can be used."""
    with _errors_reported():
        from segl.service.config import checking, wiring

        wiring.set_up(configuration)
        checking.check_database()
        yield


@serve.command()
def api(config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Serve senders' programs: the Signature API, over mutual TLS or behind a proxy."""
    with _errors_reported():
        from segl.service.config.processes import serve_api

        serve_api(config)


@serve.command()
def web(config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Serve signers' browsers: the pages, behind a proxy."""
    with _errors_reported():
        from segl.service.config.processes import serve_web

        serve_web(config)


@serve.command()
def worker(config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Do the work that is due: send, sign, seal."""
    with _errors_reported():
        from segl.service.config.processes import serve_worker

        serve_worker(config)


@app.command()
def migrate(config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Bring the database up to date, and register the organizations that the configuration names."""
    with _errors_reported():
        from segl.service.config.processes import migrate as migrate_database

        migrate_database(config)
    typer.echo("The database is up to date.")


@app.command()
def parked(
    release: Annotated[bool, typer.Option("--release", help="Try all of it again.")] = False,
    config: Configuration = DEFAULT_CONFIGURATION,
) -> None:
    """List the work that failed too often to be tried again, with its last failure; and why other work waits."""
    with _database(config):
        from segl.service import due
        from segl.service.work.kinds import WORK

        nothing = True
        for model in WORK:
            row: Any
            for row in due.parked(model):
                nothing = False
                job = row.job_id if hasattr(row, "job_id") else row.signer.job_id
                since = f"{row.parked_at:%Y-%m-%d %H:%M %Z}"
                typer.echo(f"{model._meta.db_table} {row.pk} of job {job}, since {since}: {safe(row.last_error)}")
            for error, count in due.failing(model):
                typer.echo(f"{model._meta.db_table}: {count} will be tried again: {safe(error)}")
            if release:
                due.release_parked(model)
    if nothing:
        typer.echo("Nothing is parked.")
    elif release:
        typer.echo("Nothing is parked any more.")


@organization.command()
def add(
    number: Number,
    name: Name,
    sector: Annotated[Sector, typer.Option(help="The sector it belongs to.")],
    config: Configuration = DEFAULT_CONFIGURATION,
) -> None:
    """Let an organization use the API."""
    with _database(config):
        from segl.service.organizations import add_organization

        add_organization(number=number, name=name, sector=sector)
    typer.echo(f"The organization {number} may use the API.")


@organization.command(name="list")
def list_all(as_json: AsJson = False, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """List the organizations."""
    with _database(config):
        from segl.service.organizations import organizations

        found = organizations()
    if as_json:
        print_json([_for_json(each) for each in found])
        return
    for each in found:
        typer.echo(f"{each.number}  {each.sector:7}  {'blocked' if each.blocked_at else '       '}  {each.name}")


@organization.command()
def show(number: Number, as_json: AsJson = False, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Show an organization."""
    with _database(config):
        from segl.service.organizations import organization as registered

        found = registered(number)
    if as_json:
        print_json(_for_json(found))
        return
    blocked = f"since {found.blocked_at:%Y-%m-%d %H:%M %Z}" if found.blocked_at else "no"
    typer.echo(f"{found.number} {found.name}\n  Sector   {found.sector}\n  Blocked  {blocked}")
    typer.echo(f"  Brokers  {', '.join(found.brokers) or 'none'}\n  Acts for {', '.join(found.broker_for) or 'none'}")


@organization.command()
def rename(number: Number, name: Name, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Rename an organization."""
    with _database(config):
        from segl.service.organizations import rename_organization

        rename_organization(number=number, name=name)
    typer.echo(f"The organization {number} is renamed.")


@organization.command()
def block(number: Number, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Block an organization: neither it nor a broker for it may use the API; its jobs go on."""
    with _database(config):
        from segl.service.organizations import block_organization

        block_organization(number=number)
    typer.echo(f"The organization {number} is blocked.")


@organization.command()
def unblock(number: Number, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Let a blocked organization use the API again."""
    with _database(config):
        from segl.service.organizations import unblock_organization

        unblock_organization(number=number)
    typer.echo(f"The organization {number} may use the API.")


@organization.command(name="authorize-broker")
def authorize(broker: Broker, sender: Sender, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """Let a broker act for a sender."""
    with _database(config):
        from segl.service.organizations import authorize_broker

        authorize_broker(sender=sender, broker=broker)
    typer.echo(f"The organization {broker} may act for {sender}.")


@organization.command(name="revoke-broker")
def revoke(broker: Broker, sender: Sender, config: Configuration = DEFAULT_CONFIGURATION) -> None:
    """No longer let a broker act for a sender."""
    with _database(config):
        from segl.service.organizations import revoke_broker

        revoke_broker(sender=sender, broker=broker)
    typer.echo(f"The organization {broker} may no longer act for {sender}.")


def _for_json(registered: "RegisteredOrganization") -> dict[str, Any]:
    blocked_at = registered.blocked_at
    return asdict(registered) | {"blocked_at": blocked_at.isoformat() if blocked_at else None}
