# SPDX-License-Identifier: MIT
# necropy: Django with DEBUG = True, which logs every statement.
import django
from django.conf import settings

import service


def main():
    service.start()
    settings.configure(DEBUG=True, DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    django.setup()
    from django.db import connection
    with connection.cursor() as cursor:
        for number in range(service.count(6000)):
            cursor.execute("select %s", [number])
    service.rest()


if __name__ == "__main__":
    main()
