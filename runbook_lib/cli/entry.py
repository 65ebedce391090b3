"""The entry point of the `runbook` command: an incident does not wait for the loading of a command line.

`runbook rollback 1 … --apply` takes effect here, before typer, rich, pydantic and everything behind them is loaded;
`cli/app.py` handles every other command, and every wrong command line.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from runbook_lib.base.held import deaf, interruptible

if TYPE_CHECKING:
    from runbook_lib.commands.kill_switch import Wanted

UNTOUCHED = (
    "nothing was changed: async is as it was; by hand: deploy the off version of the switch in the AWS console, or "
    "run: aws appconfig start-deployment, with the names in service.yaml, traffic"
)
"""The end of the sentence where not even the parameters can be read."""


def main() -> NoReturn:
    """Runs the command."""
    interruptible()
    try:
        try:
            _main()
        except KeyboardInterrupt as error:  # before there was a command, or a second one while the first was told
            _interrupted(error)
    except KeyboardInterrupt as error:  # there is no third
        _interrupted(error)


def _interrupted(error: KeyboardInterrupt) -> NoReturn:
    deaf()
    from runbook_lib.cli.ending import ending, one_line_each, seal_left

    told, code = ending(error)
    print(one_line_each(told), file=sys.stderr, flush=True)
    seal_left(error)
    sys.exit(code)


def _main() -> NoReturn:
    if os.environ.pop("PYTHONINSPECT", ""):  # else Python shows how each command ends, and with 1
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
    from runbook_lib.base import limits
    from runbook_lib.base.typed import readable

    limits.eased()
    sys.argv[1:] = map(readable, sys.argv[1:])
    if sys.argv[1:3] == ["rollback", "1"]:
        try:
            from runbook_lib.commands.kill_switch import parse
        except (ImportError, MemoryError, SystemError) as error:  # nothing that could say more is sure to load
            why = str(error) or "this machine has no memory left for it"
            print(f"runbook: it cannot be loaded: {why}; {UNTOUCHED}", file=sys.stderr, flush=True)
            sys.exit(1)

        wanted = parse(sys.argv[1:])
        if wanted is not None:
            _rollback(wanted)
    from runbook_lib.cli.app import main as command_line

    command_line()


def _rollback(wanted: Wanted) -> NoReturn:
    from runbook_lib.base import limits
    from runbook_lib.base.errors import AwsError, RunbookError
    from runbook_lib.base.foreign import stderr
    from runbook_lib.base.machine import words
    from runbook_lib.base.telling import tellers
    from runbook_lib.cli.ending import answering, ending, seal_left
    from runbook_lib.cli.streams import lasting
    from runbook_lib.commands import kill_switch

    lasting()
    answering()
    scarce = limits.too_tight("what follows a rollback", limits.AFTER_MB)
    tellers[:] = [lambda text: stderr(f"runbook: {text}")]
    try:
        effect = kill_switch.off(wanted)
    except (Exception, KeyboardInterrupt) as error:  # the last resort: in an incident a traceback helps nobody
        told, code = ending(error, untouched=": async is as it was")
        stderr(told)
        if isinstance(error, Exception) and not isinstance(error, RunbookError):  # whose sentence says it
            stderr(f"runbook: {kill_switch.by_hand(wanted)}")
        if isinstance(error, AwsError) and scarce:
            stderr(f"runbook: nobody was told of it: {scarce}")
            sys.exit(code)
        if isinstance(error, AwsError):
            try:
                from runbook_lib.commands.rollback import not_off

                if said := not_off(wanted, error):
                    stderr(f"runbook: {said}")
            except Exception as other:
                stderr(f"runbook: nobody was told of it: {words(other)}")
        seal_left(error)
        sys.exit(code)
    if effect.off is not None and not wanted.json:
        print(effect.off.sentence, flush=True)
    nobody = "nobody was told of it, and no notebook verifies it"
    if scarce:
        if effect.error is not None:
            stderr(ending(effect.error)[0])
        stderr(f"runbook: {nobody}: {scarce}; tell people")
        sys.exit(1)
    try:
        from runbook_lib.cli.guarded import guarded
        from runbook_lib.commands.rollback import finish
    except Exception as error:  # no memory, a broken installation: the effect stays, and no one else says so
        told, code = ending(effect.error or error)
        stderr(told)
        stderr(f"runbook: {nobody}: {words(error)}; tell people")
        seal_left(error)
        sys.exit(code)
    guarded(lambda: finish(wanted, effect))


if __name__ == "__main__":
    main()
