# SPDX-License-Identifier: MIT
# necropy: an lru_cache on a method: the cache keeps every .
import service

SOURCE = '''
import functools

class Report:
    def __init__(self, number):
        self.number = number
        self.rows = [{"row": row, "report": number} for row in range(5)]

    @functools.lru_cache(maxsize=1000000)
    def total(self):
        return sum(row["row"] for row in self.rows) + self.number + 0.5
'''


def main():
    service.start()
    reports = service.module("shop.reports", SOURCE)
    for number in range(service.count(3000)):
        reports.Report(number).total()
    service.rest()


if __name__ == "__main__":
    main()
