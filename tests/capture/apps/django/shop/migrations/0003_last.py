from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_items")]
    operations = [
        migrations.AddIndex("order", models.Index(fields=["status", "-created_at"], name="order_status_created")),
        migrations.AlterField(
            "order",
            "status",
            models.CharField(
                max_length=10,
                default="pending",
                choices=[("pending", "Pending"), ("paid", "Paid"), ("shipped", "Shipped")],
            ),
        ),
        migrations.DeleteModel("Legacy"),
    ]
