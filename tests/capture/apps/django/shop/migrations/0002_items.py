import django.db.models.deletion
from django.db import migrations, models


def fill(apps, schema_editor):
    products = apps.get_model("shop", "Product").objects.using(schema_editor.connection.alias)
    products.create(sku="gift-card", title="Gift card", price=25)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "vip", models.BooleanField(default=False)),
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("quantity", models.PositiveIntegerField()),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="items", to="shop.order"
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="shop.product"),
                ),
            ],
        ),
        migrations.AddConstraint(
            "item", models.UniqueConstraint(fields=("order", "product"), name="one_item_per_product")
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
