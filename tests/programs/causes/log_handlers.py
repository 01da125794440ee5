# SPDX-License-Identifier: MIT
# necropy: a logging handler added for each request.
import logging

import service


class TenantHandler(logging.Handler):
    def __init__(self, tenant):
        super().__init__()
        self.tenant = tenant
        self.lines = ["%s line %d" % (tenant, number) for number in range(5)]

    def emit(self, record):
        pass


def main():
    service.start()
    for number in range(service.count(3000)):
        logging.getLogger("shop.tenants").addHandler(TenantHandler("tenant-%d" % number))
    service.rest()


if __name__ == "__main__":
    main()
