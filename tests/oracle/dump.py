#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# necropy: starts a program under an interpreter, waits until it is ready, and takes its core.
"""dump.py PROGRAM [ARGUMENT...] [--python PATH] [--by gcore|kernel] -o FOLDER: a core and the truths beside it.

Interpreters that the tests use: Debian's /usr/bin/python3 and the builds of pyenv, or those that NECROPY_PYTHONS names
(separated by colons).  Without debug information an interpreter is skipped, with a sentence that says so.

An interpreter ROOT:PATH is that of another root (an unpacked image, a debootstrapped folder): it runs under chroot, its
core is analysed with --sysroot ROOT.  The tests take those of the folders that NECROPY_ROOTS names.
"""
import argparse
import collections
import glob
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(os.path.dirname(HERE), "programs")
SUPPORTED = ((3, 11), (3, 12), (3, 13))
PATIENCE = 300

Interpreter = collections.namedtuple("Interpreter", "name path version root debug")


class Skip(Exception):
    """Something that this machine does not allow; the text says what."""


def _elf_sections(path):
    """Section names and the build-id (hex) of a 64-bit little-endian ELF file."""
    with open(path, "rb") as source:
        head = source.read(64)
        if head[:6] != b"\x7fELF\x02\x01":
            return set(), ""
        offset, size, count, strings = struct.unpack_from("<Q10xHHH", head, 40)
        source.seek(offset)
        table = source.read(size * count)
        rows = [struct.unpack_from("<IIQQQQ", table, size * index) for index in range(count)]
        if not rows:
            return set(), ""
        source.seek(rows[strings][4])
        names = source.read(rows[strings][5])
        found, build_id = set(), ""
        for row in rows:
            name = names[row[0]:names.index(b"\0", row[0])].decode()
            found.add(name)
            if name == ".note.gnu.build-id":
                source.seek(row[4])
                build_id = source.read(row[5])[16:].hex()
        return found, build_id


def _has_dwarf(path, root=""):
    sections, build_id = _elf_sections(root + path)
    separate = "%s/usr/lib/debug/.build-id/%s/%s.debug" % (root, build_id[:2], build_id[2:])
    return ".debug_info" in sections or (build_id and os.path.exists(separate))


_PROBE = ("import os, sys, sysconfig; v = sysconfig.get_config_var; "
          "print(*sys.version_info[:3]); print(os.path.realpath(sys.executable)); "
          "print(os.path.join(v('LIBDIR') or '', v('INSTSONAME') or '') if v('Py_ENABLE_SHARED') else '')")


def split_root(path):
    """(ROOT, PATH) of an interpreter; the root is "" for those of this machine."""
    root, colon, inner = path.partition(":")
    return (root.rstrip("/"), inner) if colon else ("", path)


def _enter(root, folder):
    """What a child does before it becomes an interpreter of another root."""
    if root:
        os.chroot(root)
        os.chdir(folder)


def _candidates():
    named = os.environ.get("NECROPY_PYTHONS")
    if named:
        return re.findall(r"[^:]+", named)
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    versions = glob.glob(os.path.join(root, "versions", "3.*", "bin", "python3"))
    return ["/usr/bin/python3"] + sorted(versions, key=lambda path: [int(n) for n in re.findall(r"\d+", path)])


def _candidates_in_roots():
    """ROOT:PATH of each release and debug interpreter in the folders of NECROPY_ROOTS; and this machine's debug ones."""
    found = sorted(glob.glob("/usr/bin/python3.*d"))
    for root in filter(None, os.environ.get("NECROPY_ROOTS", "").split(":")):
        found += ["%s:%s" % (root.rstrip("/"), path[len(root.rstrip("/")):])
                  for path in sorted(glob.glob(root.rstrip("/") + "/usr/bin/python3.*"))]
    return [path for path in found if re.search(r"/python3\.\d+d?$", path)]


def _probe(path):
    root, inner = split_root(path)
    return subprocess.run([inner, "-c", _PROBE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=True,
                          preexec_fn=lambda: _enter(root, "/")).stdout.decode().split("\n")


def interpreters(supported=SUPPORTED, roots=False):
    """([Interpreter, ...], [sentence about one that is skipped, ...]); with `roots` those of NECROPY_ROOTS too."""
    found, skipped, seen = [], [], set()
    for path in _candidates() + (_candidates_in_roots() if roots else []):
        root, inner = split_root(path)
        try:
            out = _probe(path)
        except (OSError, subprocess.SubprocessError) as error:
            skipped.append("%s does not run: %s" % (path, error))
            continue
        version = tuple(int(number) for number in out[0].split())
        home, code = (root, out[1]), out[2]
        if not code or not os.path.exists(root + code):  # Debian's is shared and yet has all in the executable
            code = out[1]
        if home in seen:
            continue
        seen.add(home)
        if version[:2] not in supported:
            skipped.append("%s is %d.%d, which is not among the versions tested" % ((path,) + version[:2]))
        elif not _has_dwarf(code, root):
            skipped.append("%s has no debug information (Debian: python3-dbg)" % path)
        else:
            origin = os.path.basename(root) or ("debian" if path.startswith("/usr/bin") else "build")
            debug = inner.endswith("d")  # --with-pydebug, as Debian names it
            name = "%s-%d.%d.%d" % ((origin,) + version) + ("-debug" if debug else "")
            found.append(Interpreter(name, path, version, root, debug))
    return found, skipped


class Living:
    """A program of tests/programs that is ready to be dumped; a context manager that ends it."""

    def __init__(self, program, arguments=(), python=sys.executable, folder=None, truth=False, collect=False, env=None):
        self.folder = folder or tempfile.mkdtemp(prefix="necropy-")
        self._own = folder is None
        self.root, python = split_root(python)
        self._inside = self._move_in() if self.root else self.folder
        self.truth = os.path.join(self.folder, "truth") if truth else None
        self.collect = os.path.join(self.folder, "collect.json") if collect else None
        programs = self._seen("programs") if self.root else PROGRAMS
        known = os.path.exists(os.path.join(PROGRAMS, program + ".py"))  # "zoo", "apps/django_site"
        path = os.path.join(programs, program + ".py") if known else program
        environment = dict(os.environ, PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", MALLOC_ARENA_MAX="2")
        environment.update(env or {})
        for name, value in (("NECROPY_TRUTH", self.truth), ("NECROPY_COLLECT", self.collect)):
            environment.pop(name, None)
            if value:
                environment[name] = self._seen(os.path.basename(value))
        self.process = subprocess.Popen([python, path] + [str(argument) for argument in arguments], cwd=self._inside,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                                        stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=self._begin)
        self.pid = self.process.pid
        self._wait()
        self._move_out(self.truth, self.collect)

    def _settle(self):
        """Wait a moment until it has come back from its write(), and waits for a signal."""
        for _ in range(200):
            try:
                with open("/proc/%d/syscall" % self.pid) as source:
                    if source.read().split()[0] not in ("running", "1" if os.uname().machine == "x86_64" else "64"):
                        return
            except (OSError, IndexError):
                return
            time.sleep(0.01)

    def _seen(self, name):
        """The path of something in its folder, as the process sees it."""
        return os.path.join(self._inside[len(self.root):], name)

    def _begin(self):
        _allow_cores()
        _enter(self.root, self._inside[len(self.root):])

    def _move_in(self):
        """A folder in the other root, with the programs."""
        inside = tempfile.mkdtemp(prefix="necropy-", dir=os.path.join(self.root, "tmp"))
        for name in ("programs", "oracle"):
            shutil.copytree(os.path.join(os.path.dirname(HERE), name), os.path.join(inside, name))
        return inside

    def _move_out(self, *paths):
        for path in paths:
            if path and self.root:
                shutil.move(os.path.join(self._inside, os.path.basename(path)), path)

    def _wait(self):
        deadline = time.time() + PATIENCE
        while time.time() < deadline:
            line = self.process.stdout.readline()
            if line.startswith(b"ready"):
                said = line.split()[1:]
                if said:  # not the one that was started, when that has forked
                    self.pid = int(said[0])
                self._settle()
                return
            if not line:
                break
        self.process.kill()
        error = self.process.communicate()[1].decode(errors="replace")
        raise RuntimeError("the program did not get ready: " + error[-2000:])

    def go_on(self):
        """Tell it to do more, by SIGUSR1, and wait until it is ready again."""
        os.kill(self.pid, signal.SIGUSR1)
        self._wait()

    def gcore(self):
        """A core by gdb, the process lives on."""
        if not shutil.which("gcore"):
            raise Skip("gcore (package gdb) is not installed")
        prefix = os.path.join(self.folder, "gcore")
        done = subprocess.run(["gcore", "-o", prefix, str(self.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)
        path = "%s.%d" % (prefix, self.pid)
        if not os.path.exists(path):
            text = done.stdout.decode(errors="replace")
            if "ptrace" in text.lower():
                raise Skip("ptrace is not permitted here, so gcore cannot attach")
            raise RuntimeError("gcore wrote no core: " + text[-2000:])
        return path

    def kernel(self):
        """A core by the kernel, on SIGABRT; the process is gone."""
        pattern = core_pattern()
        os.kill(self.pid, signal.SIGABRT)
        self.process.wait(PATIENCE)
        pattern = re.sub(r"%[pP]", str(self.pid), pattern)
        pattern = re.sub(r"%.", "*", pattern)
        for path in glob.glob(os.path.join(self._inside, pattern)) + glob.glob(
                os.path.join(self._inside, "%s.%d" % (pattern, self.pid))):
            outside = os.path.join(self.folder, os.path.basename(path))
            self._move_out(outside)
            return outside
        raise Skip("the kernel wrote no core here (core_pattern %r, hard limit %s)" % (
            core_pattern(), resource.getrlimit(resource.RLIMIT_CORE)[1]))

    def dump(self, how):
        return self.gcore() if how == "gcore" else self.kernel()

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own: children too
        except ProcessLookupError:
            pass
        self.process.communicate()
        if self.root:
            shutil.rmtree(self._inside, ignore_errors=True)
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.close()


def _allow_cores():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def core_pattern():
    """The kernel's pattern for core files, or Skip where it hands them to a program."""
    with open("/proc/sys/kernel/core_pattern") as source:
        pattern = source.read().strip()
    if pattern.startswith("|"):
        raise Skip("the kernel hands cores to a program (core_pattern %s)" % pattern)
    return pattern


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="+")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--by", choices=("gcore", "kernel"), default="gcore")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    os.makedirs(options.output, exist_ok=True)
    with Living(options.program[0], options.program[1:], options.python, os.path.abspath(options.output), True, True) as it:
        print(it.dump(options.by))
    print(it.truth)
    print(it.collect)


if __name__ == "__main__":
    main()
