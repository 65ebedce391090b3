"""The command line: typer, terminal, exit codes; one file per noun."""
