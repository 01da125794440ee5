# SPDX-License-Identifier: MIT
# necropy: a warning whose text differs each time.
import os
import sys
import warnings

import service


def main():
    service.start()
    warnings.simplefilter("default")
    sys.stderr = open(os.devnull, "w")
    for number in range(service.count(8000)):
        warnings.warn("order %d has no customer" % number)
    service.rest()


if __name__ == "__main__":
    main()
