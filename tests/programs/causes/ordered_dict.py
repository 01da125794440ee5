# SPDX-License-Identifier: MIT
# necropy: an OrderedDict in an instance, meant to be a cache, that evicts nothing.
import service

SOURCE = '''
import collections

class Session:
    __slots__ = ("token", "user")

    def __init__(self, token):
        self.token, self.user = token, {"name": token.upper()}

class Store:
    def __init__(self):
        self._sessions = collections.OrderedDict()

    def open(self, token):
        self._sessions[token] = Session(token)
        self._sessions.move_to_end(token)

class App:
    def __init__(self):
        self.store = Store()

app = App()
'''


def main():
    service.start()
    web = service.module("web.app", SOURCE)
    for number in range(service.count(12000)):
        web.app.store.open("token-%x" % number)
    service.rest()


if __name__ == "__main__":
    main()
