#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: damaged cores: the reading side in one process a seed (necropy-damage), then the whole program on some.
"""run.py [--seconds S] [--necropy-seconds S] [--first SEED] [--core FILE]: exit status 0 fine, 1 not, 77 cannot be done.

Environment: NECROPY and NECROPY_DAMAGE, the binaries, best of a build with sanitizers.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "oracle"))
import dump  # noqa: E402

PATIENCE = 60  # seconds of one command on one damaged core
MEGABYTES = 3000
COMMANDS = (("report",), ("report", "--json", "-"), ("threads",), ("cycles",), ("garbage",),
            ("export", "--format", "ndjson", "-o", "-"))
CRASH = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed|stack smashing")


def run(command, environment):
    """(sentence on what was bad or None)"""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               env=environment)
    try:
        error = process.communicate(timeout=PATIENCE)[1].decode(errors="replace")
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hangs"
    if CRASH.search(error) or process.returncode not in (0, 3, 4):
        return "status %d: %s" % (process.returncode, error[:3000])
    if process.returncode == 3 and not error.strip():
        return "refuses without a word"
    return None


def whole_program(core, first, seconds):
    necropy, damage = os.environ.get("NECROPY"), os.environ["NECROPY_DAMAGE"]
    if not necropy or not os.path.exists(necropy):
        print("skipped: no necropy to run on damaged cores")
        return 0
    deadline, seed, bad = time.time() + seconds, first, 0
    with tempfile.TemporaryDirectory(prefix="necropy-damage-") as folder:
        environment = dict(os.environ, XDG_CACHE_HOME=folder, NO_COLOR="1",
                           ASAN_OPTIONS="detect_leaks=1:hard_rss_limit_mb=%d" % MEGABYTES)
        damaged = os.path.join(folder, "core")
        while time.time() < deadline:
            what = subprocess.run([damage, core, "--seed", str(seed), "--write", damaged], stdout=subprocess.PIPE,
                                  check=True).stdout.decode().strip()
            arguments = COMMANDS[seed % len(COMMANDS)]
            problem = run([necropy, arguments[0], damaged] + list(arguments[1:]), environment)
            if problem:
                bad += 1
                print("%s: necropy %s %s" % (what, " ".join(arguments), problem))
            seed += 1
    print("%d damaged cores for the whole program, %d bad" % (seed - first, bad))
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--necropy-seconds", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--core")
    options = parser.parse_args()
    found, skipped = dump.interpreters()
    if not found and not options.core:
        print("skipped: damaged cores: " + "; ".join(skipped or ["no interpreter"]))
        return 77
    with tempfile.TemporaryDirectory(prefix="necropy-damage-") as folder:
        core = options.core
        if not core:
            with dump.Living(os.path.join(HERE, "tiny.py"), python=found[0].path, folder=folder) as living:
                try:
                    core = living.gcore()
                except dump.Skip as why:
                    print("skipped: damaged cores: %s" % why)
                    return 77
        bad = subprocess.run([os.environ["NECROPY_DAMAGE"], core, "--first", str(options.first), "--limit", "60",
                              "--seconds", str(options.seconds)]).returncode
        if options.necropy_seconds:
            bad += whole_program(core, options.first + 500000, options.necropy_seconds)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
