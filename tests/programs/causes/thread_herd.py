# SPDX-License-Identifier: MIT
# necropy: threads that were started for one request each and never end.
import threading
import time

import service

SOURCE = '''
def poll(never, number):
    answers = ["answer %d.%d" % (number, part) for part in range(150)]
    never.wait()
    return answers
'''


def main():
    service.start()
    poller = service.module("shop.poller", SOURCE)
    never = threading.Event()
    threading.stack_size(256 * 1024)
    for number in range(service.count(120)):
        threading.Thread(target=poller.poll, args=(never, number), name="poll-%d" % number, daemon=True).start()
    time.sleep(0.5)
    service.rest()


if __name__ == "__main__":
    main()
