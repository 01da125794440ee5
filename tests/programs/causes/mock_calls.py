# SPDX-License-Identifier: MIT
# necropy: a mock in a process that lives: it remembers every call.
import unittest.mock

import service


def main():
    service.start()
    billing = service.module("shop.billing", "gateway = None\n")
    billing.gateway = unittest.mock.Mock()
    for number in range(service.count(6000)):
        billing.gateway.charge(number, currency="EUR%d" % number)
    service.rest()


if __name__ == "__main__":
    main()
