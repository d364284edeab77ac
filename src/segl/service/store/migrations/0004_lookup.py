from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0003_organization_blocked_at")]

    operations = [
        migrations.CreateModel(
            name="Lookup",
            fields=[
                ("due_at", models.DateTimeField(db_index=True, null=True)),
                ("lease_until", models.BigIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(default="", max_length=500)),
                (
                    "signer",
                    models.OneToOneField(
                        on_delete=models.deletion.CASCADE,
                        primary_key=True,
                        related_name="lookup",
                        serialize=False,
                        to="store.signer",
                    ),
                ),
                ("sms", models.BooleanField()),
            ],
            options={"db_table": "lookup"},
        ),
    ]
