# SPDX-License-Identifier: MIT
# necropy: dicts (no class of their own) in two globals of two modules.
import service


def main():
    service.start()
    orders = service.module("shop.orders", "open_orders = []\n")
    index = service.module("shop.index", "by_number = {}\n")
    for number in range(service.count(20000)):
        order = {"number": number, "lines": [number], "customer": "c%d" % number}
        orders.open_orders.append(order)
        index.by_number[number] = order
    service.rest()


if __name__ == "__main__":
    main()
