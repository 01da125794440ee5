# SPDX-License-Identifier: MIT
# necropy: a home-made cache: a dict in the closure of a decorated function.
import service

SOURCE = '''
def memoize(function):
    results = {}

    def wrapper(*arguments):
        if arguments not in results:
            results[arguments] = function(*arguments)
        return results[arguments]

    return wrapper

@memoize
def fetch(user, page):
    return {"user": user, "page": page, "text": "page %s of %s" % (page, user)}
'''


def main():
    service.start()
    pages = service.module("shop.pages", SOURCE)
    for number in range(service.count(9000)):
        pages.fetch("user-%d" % number, number % 50)
    service.rest()


if __name__ == "__main__":
    main()
