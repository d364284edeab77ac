from typing import Any

from django.db import migrations, models

COUNTERS = ("call_pace", "poll_time")


def leave_unlogged(apps: Any, schema_editor: Any) -> None:
    """What is counted per call need not survive a crash, so its tables are not logged."""
    if schema_editor.connection.vendor == "postgresql":
        for table in COUNTERS:
            schema_editor.execute(f"ALTER TABLE {table} SET UNLOGGED")


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="CallPace",
            fields=[
                ("sender", models.CharField(max_length=9, primary_key=True, serialize=False)),
                ("even", models.BigIntegerField()),
                ("blocked_until", models.BigIntegerField()),
            ],
            options={"db_table": "call_pace"},
        ),
        migrations.CreateModel(
            name="PollTime",
            fields=[
                ("queue_digest", models.BinaryField(max_length=32, primary_key=True, serialize=False)),
                ("permitted_at", models.DateTimeField()),
            ],
            options={"db_table": "poll_time"},
        ),
        migrations.RunPython(leave_unlogged, migrations.RunPython.noop),
        migrations.AddField("job", "documents_deleted_at", models.DateTimeField(null=True)),
        migrations.AddField("job", "idempotency_key", models.CharField(max_length=255, null=True)),
        migrations.AddField("job", "request_sha256", models.BinaryField(max_length=32, null=True)),
        migrations.AddConstraint(
            "job", models.UniqueConstraint(fields=("sender", "idempotency_key"), name="job_idempotency_key")
        ),
        migrations.AlterField(
            "document",
            "kind",
            models.CharField(
                choices=[
                    ("original", "Original"),
                    ("typeset", "Typeset"),
                    ("manifest", "Manifest"),
                    ("xades", "Xades"),
                    ("pades", "Pades"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddField(
            "notification",
            "channel",
            models.CharField(choices=[("email", "Email"), ("sms", "Sms")], default="email", max_length=5),
        ),
    ]
