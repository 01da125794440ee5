# SPDX-License-Identifier: MIT
# necropy: what a run costs: processor time, time on the clock, memory of its own; and what the parts of it cost.
import os
import re
import subprocess
import time
from collections import namedtuple

Cost = namedtuple("Cost", "status cpu wall")
CHUNK = 1 << 20
SAMPLE_SECONDS = 0.002


def _start(command, out, env):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out or subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env=env)


def _ended(process, status):
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return process.returncode


def run(command, out=None, env=None):
    """The cost of one run of a command."""
    started = time.perf_counter()
    process = _start(command, out, env)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    return Cost(_ended(process, status), usage.ru_utime + usage.ru_stime, wall)


def best(repeat, command, env=None):
    """That of its best of some runs, by processor time; the first that fails is the result."""
    costs = []
    for _ in range(repeat):
        costs.append(run(command, env=env))
        if costs[-1].status:
            return costs[-1]
    return Cost(0, min(cost.cpu for cost in costs), min(cost.wall for cost in costs))


def peak_of_own(command, out=None, env=None):
    """(exit status, bytes): the most memory that a run had beyond the pages of files that it mapped.

    That is RssAnon and RssShmem of /proc/PID/status, read every 2 ms while it runs: the core's pages, which the page
    cache holds anyway, are RssFile.  (ru_maxrss would count them, and what its parent had before the exec.)
    """
    process, peak = _start(command, out, env), 0
    with open("/proc/%d/status" % process.pid) as source:
        while True:
            pid, status, _ = os.wait4(process.pid, os.WNOHANG)
            if pid:
                return _ended(process, status), peak
            source.seek(0)
            try:
                sizes = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", source.read(), re.M)
            except ProcessLookupError:
                sizes = []
            peak = max(peak, sum(map(int, sizes)) * 1024)
            time.sleep(SAMPLE_SECONDS)


def one_pass(path, repeat):
    """Processor seconds to read a file once, as `cat` would, from the page cache; the best of some."""
    seconds, chunk = [], bytearray(CHUNK)
    for _ in range(repeat + 1):  # the first brings it into the page cache
        started = time.process_time()
        with open(path, "rb", buffering=0) as source:
            while source.readinto(chunk):
                pass
        seconds.append(time.process_time() - started)
    return min(seconds[1:])


def instructions(command, folder, env=None, least=0.01):
    """[(instructions, function), ...] that callgrind counts, with what is called from there; the first is the whole.

    Only functions of the program itself with at least a hundredth of the whole: those of libraries are in their
    callers'.  Threads run one after the other under valgrind, so the counts are the same from run to run, nearly.
    """
    out = os.path.join(folder, "callgrind.out")
    done = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out] + command, env=env)
    if done.status:
        raise RuntimeError("under valgrind it ended with %d" % done.status)
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--auto=no", "--show=Ir", out], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    os.unlink(out)
    # 521,892,571 (57.60%)  /source/graph/build.c:gr_build [/build/necropy]
    whole = int(re.search(r"([\d,]+) \(100\.0%\)  PROGRAM TOTALS", text).group(1).replace(",", ""))
    rows, seen = [(whole, "the whole")], set()
    name = re.escape(os.path.basename(command[0]))
    for count, source, function in re.findall(
            r"^ *([\d,]+) \([ \d.]+%%\)  (\S+):(\w+)(?:'\d+)? \[\S*/%s\]$" % name, text, re.M):
        count, source = int(count.replace(",", "")), "/".join(source.split("/")[-2:])
        if source != "???" and count >= whole * least and (source, function) not in seen:
            seen.add((source, function))
            rows.append((count, "%s:%s" % (source, function)))
    return rows
