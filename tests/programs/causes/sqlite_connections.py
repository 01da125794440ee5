# SPDX-License-Identifier: MIT
# necropy: a connection to the database for each request.
import service

SOURCE = '''
import sqlite3

connections = []

def handle(number):
    connection = sqlite3.connect("shop-%d.db" % number)
    connections.append(connection)
    return connection.execute("select ?", (number,)).fetchone()
'''


def main():
    service.start()
    database = service.module("shop.database", SOURCE)
    for number in range(service.count(150)):
        database.handle(number)
    service.rest()


if __name__ == "__main__":
    main()
