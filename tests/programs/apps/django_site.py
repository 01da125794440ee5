# SPDX-License-Identifier: MIT
# necropy: a Django project with admin and sessions, in one process.
"""django_site.py [REQUESTS]: requests by the test client; its caches, sessions and connections are the heap."""
import gc
import os
import sys
import types

import django
from django import urls
from django.apps import AppConfig
from django.conf import settings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "oracle"))
import oracle  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = []
urlpatterns = []


class Shop(AppConfig):
    name = label = "shop"
    path = HERE


def configure():
    module = sys.modules["shop"] = types.ModuleType("shop")
    contrib = ["django.contrib." + name for name in ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")]
    settings.configure(
        SECRET_KEY="not a secret", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True, STATIC_URL="/static/",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=contrib + [Shop("shop", module)],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
                    "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
                    "django.contrib.messages.middleware.MessageMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
            "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                                   "django.contrib.messages.context_processors.messages"]}}])
    django.setup()


def make_models():
    from django.contrib import admin
    from django.db import connection, models

    class Author(models.Model):
        name = models.CharField(max_length=80)
        born = models.DateField(null=True)

        class Meta:
            app_label = "shop"

    class Book(models.Model):
        title = models.CharField(max_length=200)
        author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
        price = models.DecimalField(max_digits=8, decimal_places=2)
        tags = models.JSONField(default=dict)

        class Meta:
            app_label = "shop"

    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    admin.site.register(Author, list_display=("name", "born"), search_fields=("name",))
    admin.site.register(Book, list_display=("title", "author", "price"), list_filter=("author",))
    urlpatterns.append(urls.path("admin/", admin.site.urls))
    return Author, Book


def main():
    configure()
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    author_kind, book_kind = make_models()
    from django.contrib.auth.models import User
    from django.test import Client
    User.objects.create_superuser("root", "root@example.org", "secret")
    for number in range(20):
        author = author_kind.objects.create(name="Author %d" % number, born="19%02d-01-02" % number)
        for other in range(5):
            book_kind.objects.create(title="Book %d.%d" % (number, other), author=author, price="%d.50" % other,
                                     tags={"shelf": number, "words": ["a", other]})
    clients = []
    for turn in range(int(sys.argv[1] if len(sys.argv) > 1 else 300) // 6):
        if turn % 10 == 0:
            clients.append(Client())
            assert clients[-1].post("/admin/login/?next=/admin/", {"username": "root", "password": "secret"}).status_code == 302
        client, key = clients[-1], turn % 20 + 1
        responses = [client.get("/admin/"), client.get("/admin/shop/book/?q=1&o=2"), client.get("/admin/shop/author/%d/change/" % key),
                     client.post("/admin/shop/author/add/", {"name": "New %d" % turn, "born": "1990-05-05"}),
                     client.get("/admin/shop/book/?author__id__exact=%d" % key), client.get("/nothing/here/")]
        assert [response.status_code for response in responses] == [200, 200, 200, 302, 200, 404], responses
        if turn % 10 == 3:
            KEPT.append(responses)
    KEPT.append((clients, list(book_kind.objects.select_related("author")), book_kind.objects.filter(price__gt=2)))
    gc.collect()
    oracle.hold()


if __name__ == "__main__":
    main()
