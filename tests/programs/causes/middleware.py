# SPDX-License-Identifier: MIT
# necropy: a middleware that remembers every request.
import service

SOURCE = '''
class Request:
    def __init__(self, path):
        self.path = path
        self.headers = {"host": "example.org", "cookie": "c=%s" % path}

class TimingMiddleware:
    def __init__(self, handler):
        self.handler = handler
        self.timings = []

    def __call__(self, request):
        self.timings.append((request, 0.25))
        return self.handler(request)

class Application:
    def __init__(self):
        self.middleware = [TimingMiddleware(lambda request: 200)]

    def handle(self, request):
        return self.middleware[0](request)

application = Application()
'''


def main():
    service.start()
    web = service.module("web.application", SOURCE)
    for number in range(service.count(8000)):
        web.application.handle(web.Request("/page/%d" % number))
    service.rest()


if __name__ == "__main__":
    main()
