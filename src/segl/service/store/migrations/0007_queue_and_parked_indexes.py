from django.db import migrations, models
from django.db.models.functions import Left


def parked(model: str, key: str) -> migrations.AddIndex:
    return migrations.AddIndex(
        model,
        models.Index(fields=["parked_at", key], name=f"{model}_parked", condition=models.Q(parked_at__isnull=False)),
    )


class Migration(migrations.Migration):
    dependencies = [("store", "0006_signer_links_ended_at")]

    operations = [
        migrations.AlterField("statuschange", "due_at", models.DateTimeField(null=True)),
        migrations.AlterField(
            "statuschange", "sender", models.ForeignKey("store.organization", models.PROTECT, db_index=False)
        ),
        migrations.AddIndex(
            "statuschange",
            models.Index(
                "sender",
                Left("polling_queue", 100),
                "due_at",
                "job",
                name="status_change_next",
                condition=models.Q(due_at__isnull=False, parked_at__isnull=True),
            ),
        ),
        parked("notification", "id"),
        parked("lookup", "signer"),
        parked("signing", "id"),
        parked("sealing", "id"),
    ]
