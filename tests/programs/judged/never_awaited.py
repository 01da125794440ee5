# SPDX-License-Identifier: MIT
# necropy: coroutines that nobody awaits, kept in a list.
"""notify() is called without await, and its coroutine kept to be gathered later, which never happens."""
# expect: {"rule": "piled-up-tasks", "type": "^coroutine$", "path": "^__main__\\.TO_GATHER", "count": 5000}
TO_GATHER = []


async def notify(user, message):
    return (user, message)


def handle(number):
    TO_GATHER.append(notify("user %d" % number, "you have %d new messages" % number))


def main():
    for number in range(5000):
        handle(number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
