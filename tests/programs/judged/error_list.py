# SPDX-License-Identifier: MIT
# necropy: a supervisor that keeps the exceptions of all failed jobs.
"""Each exception has a traceback, each traceback its frames, each frame the rows it worked on."""
# expect: {"rule": "retained-tracebacks", "type": "^__main__\\.JobFailed$", "path": "^__main__\\.SUPERVISOR\\.failures", "count": 800}


class JobFailed(Exception):
    pass


class Supervisor:
    def __init__(self):
        self.failures = []
        self.done = 0

    def run(self, job):
        try:
            job()
            self.done += 1
        except JobFailed as error:
            self.failures.append(error)


SUPERVISOR = Supervisor()


def load(number):
    rows = [(number, index, "row %d of %d" % (index, number)) for index in range(20)]
    if number >= 0:
        raise JobFailed("job %d: cannot load %d rows" % (number, len(rows)))
    return rows


def main():
    for number in range(800):
        SUPERVISOR.run(lambda: load(number))


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
