from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0008_laid_out")]

    operations = [
        migrations.CreateModel(
            name="DeliveredPage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "signer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        related_name="delivered_pages",
                        to="store.signer",
                    ),
                ),
                ("document", models.PositiveSmallIntegerField()),
                ("page", models.PositiveIntegerField()),
                ("width", models.PositiveIntegerField()),
            ],
            options={
                "db_table": "delivered_page",
                "constraints": [
                    models.UniqueConstraint(fields=("signer", "document", "page", "width"), name="delivered_page_once")
                ],
            },
        ),
    ]
