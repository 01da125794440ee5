# SPDX-License-Identifier: MIT
# necropy: example: a core at MemoryError. Import it early: `import dump_on_memory_error`.
"""Limits the address space to NECROPY_LIMIT_MB (default: unlimited) and dies with a core of an unhandled MemoryError.

The kernel's OOM killer sends SIGKILL, which writes no core: this makes the process fail before that.
"""
import os
import resource
import sys
import threading

hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))  # the same as `ulimit -c unlimited`, as far as we may

megabytes = int(os.environ.get("NECROPY_LIMIT_MB", "0"))
if megabytes:
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))

_excepthook, _threading_excepthook = sys.excepthook, threading.excepthook


def _abort(message):
    os.write(2, message)  # no memory for more
    os.abort()            # SIGABRT: the kernel writes the core, with every frame's locals still in the traceback


def _on_exception(kind, error, trace):
    if issubclass(kind, MemoryError):
        _abort(b"MemoryError: aborting for a core\n")
    _excepthook(kind, error, trace)


def _on_thread_exception(arguments):
    if issubclass(arguments.exc_type, MemoryError):
        _abort(b"MemoryError in a thread: aborting for a core\n")
    _threading_excepthook(arguments)


sys.excepthook = _on_exception
threading.excepthook = _on_thread_exception
