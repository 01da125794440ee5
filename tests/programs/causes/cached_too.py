# SPDX-License-Identifier: MIT
# necropy: objects in a list, and in a bounded cache that is no culprit.
import service

SOURCE = '''
import functools

class Invoice:
    def __init__(self, number):
        self.number = number
        self.lines = [{"article": number, "price": 0.5}]

printed = []

@functools.lru_cache(maxsize=4096)
def load(number):
    return Invoice(number)

def show(number):
    printed.append(load(number))
'''


def main():
    service.start()
    invoices = service.module("shop.invoices", SOURCE)
    for number in range(service.count(6000)):
        invoices.show(number)
    service.rest()


if __name__ == "__main__":
    main()
