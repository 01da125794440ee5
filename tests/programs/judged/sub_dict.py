# SPDX-License-Identifier: MIT
# necropy: a session store that is a subclass of dict.
"""Sessions are put in and never expire; the store is an attribute of the application object."""
# expect: {"rule": "growing-container", "type": "^dict$", "path": "^__main__\\.app\\.sessions", "count": 12000}


class SessionStore(dict):
    """A dict with a word for what it does."""

    def open(self, token, user):
        self[token] = {"user": user, "cart": [], "csrf": token[::-1]}
        return self[token]


class App:
    def __init__(self):
        self.sessions = SessionStore()
        self.name = "shop"


app = App()


def main():
    for number in range(12000):
        app.sessions.open("%032x" % (number * 7919), "user%d" % number)


if __name__ == "__main__":
    import os
    import sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
    import oracle
    main()
    oracle.hold()
