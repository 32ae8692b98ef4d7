"""Steps that a process passes, and the dead stop at one of them, for the tests of crashes."""

import asyncio
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any


class Steps(ABC):
    """What is told before and after every step."""

    @abstractmethod
    def passed(self, step: str) -> None:
        """Take note of the step; end the process if it is the one."""

    def around(self, owner: Any, name: str, step: str) -> None:
        """Let a function of a module or class tell when it is entered and left."""
        inner: Callable[..., Any] = getattr(owner, name)

        def run(*args: Any, **named: Any) -> Any:
            self.passed(f"before {step}")
            done = inner(*args, **named)
            self.passed(f"after {step}")
            return done

        async def run_async(*args: Any, **named: Any) -> Any:
            self.passed(f"before {step}")
            done = await inner(*args, **named)
            self.passed(f"after {step}")
            return done

        setattr(owner, name, run_async if asyncio.iscoroutinefunction(inner) else run)


def stop() -> None:
    """End this process as a lost machine would."""
    os.kill(os.getpid(), signal.SIGKILL)


def serve(work: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Do the work in a process of its own for each line; answer with the signal that ended it."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(work(line))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        sys.stdout.write(f"{os.WTERMSIG(status) if os.WIFSIGNALED(status) else status}\n")
        sys.stdout.flush()
