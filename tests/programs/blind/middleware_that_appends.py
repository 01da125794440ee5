# SPDX-License-Identifier: MIT
# necropy: a middleware that adds a handler for every request
# expect: {"rule": "growing|container|listener|handler|closure", "type": null, "path": "__main__\\.application|__main__\\.Application|__main__\\.app", "count": 10000}
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

class Application:
    def __init__(self):
        self.before = []
        self.routes = {"/": self.index}

    def index(self, request):
        return "index"

    def __call__(self, request):
        self.before.append(Timing(request))
        return self.routes["/"](request)


class Timing:
    def __init__(self, request):
        self.request = request
        self.marks = {"start": 0.5, "path": request["path"]}


app = Application()
for number in range(10000):
    app({"path": "/%d" % number, "query": {}, "headers": {"host": "example.org"}})


oracle.hold()
