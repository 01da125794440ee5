# SPDX-License-Identifier: MIT
# necropy: very many instances of extension types that no table knows.
"""unknown_types.py KIND COUNT [KIND COUNT ...]: Fixed, Array, Sized, Moving of unknown.c, or list, which a walker knows.

The extension is built beside the truth, or in the working folder, with the C compiler of the machine."""
import gc
import os
import subprocess
import sys
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

KEPT = []


def build():
    made = os.path.join(os.getcwd(), "unknown" + sysconfig.get_config_var("EXT_SUFFIX"))
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-Wno-cast-function-type", "-I", sysconfig.get_paths()["include"],
                    os.path.join(HERE, "unknown.c"), "-o", made], check=True)
    sys.path.insert(0, os.getcwd())
    import unknown
    return unknown


def main():
    unknown = build() if set(sys.argv[1::2]) != {"list"} else None
    gc.disable()
    shared = [[number] for number in range(1000)]
    for kind, count in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
        made = []
        for number in range(count):
            one, two = shared[number % 1000], shared[number % 77]
            three = None if number % 5 == 0 else shared[3]
            items = [shared[(number + other) % 1000] for other in range(number % 4)] if kind in ("Array", "Sized") else []
            if kind == "list":
                made.append([one, two, three] + items)
            else:
                made.append(getattr(unknown, kind)(one, two, three, number % 1009 == 500, *items))
        KEPT.append(made)
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
