# SPDX-License-Identifier: MIT
# necropy: work for a thread pool that comes faster than it is done.
import concurrent.futures
import threading

import service

SOURCE = '''
class Mailer:
    def __init__(self, pool):
        self.pool = pool

    def send(self, never, number, text):
        return self.pool.submit(never.wait)

    def later(self, never, number):
        self.pool.submit(self.send, never, number, "mail %d" % number)

mailer = None
'''


def main():
    service.start()
    mail = service.module("shop.mail", SOURCE)
    mail.mailer = mail.Mailer(concurrent.futures.ThreadPoolExecutor(2))
    never = threading.Event()
    for _ in range(2):
        mail.mailer.pool.submit(never.wait)
    for number in range(service.count(5000)):
        mail.mailer.later(never, number)
    service.rest()


if __name__ == "__main__":
    main()
