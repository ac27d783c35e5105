"""The console script: whatever goes wrong is one line on stderr, never a traceback, from the first import on.

So nothing is imported here that takes a while before :func:`main` hears of Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

DEBUG = "GENBENCH_DEBUG"
INTERRUPTED = 130  # what shells expect of a command ended by Ctrl-C
SAID = "genbench: interrupted; the same command goes on where this one was"
REFUSED = 2


class Interrupted(SystemExit):
    """Ctrl-C, as an exit: nothing on its way answers it in words of its own."""


def main() -> None:
    """Do what the command line asks for, and exit: bad input is one line on stderr and status 2."""
    _open_closed()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else who started this wants it ignored
        signal.signal(signal.SIGINT, _interrupt)
    try:
        status = _called()
    except (Interrupted, KeyboardInterrupt):
        status = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to end
    if status == INTERRUPTED:
        print(SAID, file=sys.stderr)
    sys.exit(status)


def _called() -> int:
    """Do what the command line asks for; return the exit status, once what goes wrong is said."""
    from genbench import console, errors
    from genbench.app import call

    console.readable(sys.stdout, sys.stderr)
    try:
        for word in sys.argv:
            if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
                raise ValueError(f"{word!r} is not in this terminal's encoding, {sys.getfilesystemencoding()}")
        status = call()  # 130 too, where typer hears of Ctrl-C
        sys.stdout.flush()
    except BrokenPipeError:  # `genbench table | head`: nobody reads on
        console.silence(sys.stdout)
        return 0
    except (ValueError, OSError) as error:
        return _refused(str(error), error)
    except Exception as error:
        if errors.disk_full(error):
            return _refused(str(error), error)
        if errors.out_of_memory(error):
            return _refused(errors.reason(error), error)
        raise
    return status


def _refused(message: str, error: BaseException) -> int:
    """Say in one line what is wrong."""
    if os.environ.get(DEBUG):
        raise error
    from genbench.errors import printable

    print("genbench: " + printable(" ".join(message.split())), file=sys.stderr)
    return REFUSED


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Answer Ctrl-C. In the midst of an import, which may swallow what is raised, leave at once: nothing is at work."""
    while frame is not None:
        if "importlib._bootstrap" in frame.f_code.co_filename:
            os.write(2, f"{SAID}\n".encode())
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise Interrupted(INTERRUPTED)


def _open_closed() -> None:
    """Open closed standard streams again, to nowhere: the next file would get their number, and what is printed."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - for as long as this process lives


if __name__ == "__main__":
    main()
