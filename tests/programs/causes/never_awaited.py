# SPDX-License-Identifier: MIT
# necropy: coroutines that were made and never awaited.
import service

SOURCE = '''
class Mailer:
    def __init__(self):
        self.outbox = []

    async def send(self, address, text):
        return address, text

    def notify(self, number):
        self.outbox.append(self.send("user%d@example.org" % number, "dear %d" % number))

mailer = Mailer()
'''


def main():
    service.start()
    mail = service.module("shop.mail", SOURCE)
    for number in range(service.count(9000)):
        mail.mailer.notify(number)
    service.rest()


if __name__ == "__main__":
    main()
