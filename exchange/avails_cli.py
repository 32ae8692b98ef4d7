"""Commands on avails: files of offers, and what is free."""

import typer

app = typer.Typer(help="Avails: files of offers, and what is free.", no_args_is_help=True)


@app.callback()
def avails() -> None:
    """Avails: files of offers, and what is free."""
