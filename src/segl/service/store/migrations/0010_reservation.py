from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0009_delivered_page")]

    operations = [
        migrations.CreateModel(
            name="Reservation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=255)),
                ("request_sha256", models.BinaryField(max_length=32)),
                ("received_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField(db_index=True)),
                ("holder", models.CharField(max_length=22)),
                ("sender", models.ForeignKey("store.organization", models.CASCADE, db_index=False)),
            ],
            options={"db_table": "reservation"},
        ),
        migrations.AddConstraint(
            "reservation", models.UniqueConstraint(fields=["sender", "key"], name="reservation_key")
        ),
    ]
