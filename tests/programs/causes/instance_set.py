# SPDX-License-Identifier: MIT
# necropy: a set in an object that lives as long as the process.
import service

SOURCE = '''
class Crawler:
    def __init__(self):
        self.seen = set()

    def visit(self, url):
        self.seen.add(url)

crawler = Crawler()
'''


def main():
    service.start()
    crawl = service.module("crawl", SOURCE)
    for number in range(service.count(40000)):
        crawl.crawler.visit("https://example.org/page/%d?session=%x" % (number, number * 7919))
    service.rest()


if __name__ == "__main__":
    main()
