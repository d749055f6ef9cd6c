"""Two small programs whose tests ask a table that is large in production: in Django, and in JavaScript."""

from __future__ import annotations

_SETTINGS = """\
import os

SECRET_KEY = "only for tests"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DB_HOST"],
        "PORT": os.environ["DB_PORT"],
        "NAME": os.environ["DB_NAME"],
        "USER": os.environ["DB_USER"],
        "PASSWORD": os.environ["DB_PASSWORD"],
    }
}
"""
_MODELS = """\
from django.db import models


class Item(models.Model):
    sku = models.TextField()
    status = models.TextField()
    filler = models.TextField()

    class Meta:
        db_table = "items"
"""
_MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("sku", models.TextField()),
                ("status", models.TextField()),
                ("filler", models.TextField()),
            ],
            options={"db_table": "items"},
        )
    ]
"""
_INDEX = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.AddIndex("item", models.Index(fields=["sku"], name="items_by_sku"))]
"""
_TESTS = """\
from django.test import TestCase

from shop.models import Item


class Items(TestCase):
    def test_by_sku(self):
        for n in range(5):
            Item.objects.create(sku=f"SKU-{n}", status="open", filler="x")
        for n in range(5):
            self.assertEqual(Item.objects.filter(sku=f"SKU-{n}").count(), 1)
"""
_MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
"""

DJANGO = {
    "requirements.txt": "Django\npsycopg\n",
    "manage.py": _MANAGE,
    "shop/__init__.py": "",
    "shop/settings.py": _SETTINGS,
    "shop/models.py": _MODELS,
    "shop/tests.py": _TESTS,
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": _MIGRATION,
}
#: What cures its query: the index, as Django writes one.
DJANGO_CURE = {"shop/migrations/0002_index.py": _INDEX}

_NODE_TEST = """\
const { test } = require("node:test");
const assert = require("node:assert");
const { Client } = require("pg");

test("items by sku", async () => {
  const client = new Client({ connectionString: process.env.SHOP_URL });
  await client.connect();
  await client.query("create table items (id bigint primary key, sku text, status text, filler text)");
  for (const sku of ["SKU-1", "SKU-2", "SKU-3"]) {
    const found = await client.query("select * from items where sku = $1", [sku]);
    assert.equal(found.rows.length, 0);
  }
  await client.end();
});
"""
NODE = {
    "package.json": '{"private": true, "scripts": {"test": "node --test"}, "dependencies": {"pg": "^8.13.0"}}\n',
    ".env.example": "SHOP_URL=postgres://shop:shop@localhost:5432/shop\n",
    "items.test.js": _NODE_TEST,
}
