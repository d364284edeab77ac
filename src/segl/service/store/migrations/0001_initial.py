import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Clock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("offset_microseconds", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "clock",
            },
        ),
        migrations.CreateModel(
            name="Organization",
            fields=[
                ("number", models.CharField(max_length=9, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("sector", models.CharField(choices=[("public", "Public"), ("private", "Private")], max_length=7)),
                ("brokers", models.ManyToManyField(related_name="broker_for", to="store.organization")),
            ],
            options={
                "db_table": "organization",
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("reference", models.CharField(max_length=50, null=True)),
                ("polling_queue", models.TextField(default="")),
                ("title", models.CharField(max_length=80)),
                ("nonsensitive_title", models.CharField(default="", max_length=80)),
                ("description", models.CharField(default="", max_length=220)),
                ("required_authentication", models.PositiveSmallIntegerField()),
                ("identifier_in_signed_documents", models.CharField(default="", max_length=40)),
                ("status", models.CharField(default="IN_PROGRESS", max_length=30)),
                ("wrapped_key", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                ("activates_at", models.DateTimeField()),
                ("available_seconds", models.PositiveBigIntegerField()),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "broker",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="brokered_jobs",
                        to="store.organization",
                    ),
                ),
                (
                    "sender",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="jobs", to="store.organization"
                    ),
                ),
            ],
            options={
                "db_table": "job",
            },
        ),
        migrations.CreateModel(
            name="Sealing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_at", models.DateTimeField(db_index=True, null=True)),
                ("lease_until", models.BigIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(default="", max_length=500)),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sealing", to="store.job"
                    ),
                ),
            ],
            options={
                "db_table": "sealing",
            },
        ),
        migrations.CreateModel(
            name="Signer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("order", models.PositiveSmallIntegerField(default=0)),
                ("activated_at", models.DateTimeField(null=True)),
                ("personal_identification_number", models.CharField(db_index=True, default="", max_length=11)),
                ("email", models.TextField(default="")),
                ("sms", models.TextField(default="")),
                ("signature_type", models.CharField(max_length=40)),
                ("on_behalf_of", models.CharField(default="SELF", max_length=5)),
                ("status", models.CharField(default="WAITING", max_length=40)),
                ("status_since", models.DateTimeField()),
                ("wrong_codes", models.PositiveSmallIntegerField(default=0)),
                ("name", models.TextField(default="")),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="signers", to="store.job"
                    ),
                ),
            ],
            options={
                "db_table": "signer",
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_at", models.DateTimeField(db_index=True, null=True)),
                ("lease_until", models.BigIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(default="", max_length=500)),
                ("created_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "signer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notifications", to="store.signer"
                    ),
                ),
            ],
            options={
                "db_table": "notification",
            },
        ),
        migrations.CreateModel(
            name="Link",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_digest", models.BinaryField(max_length=32, unique=True)),
                ("code_digest", models.BinaryField(max_length=32)),
                ("created_at", models.DateTimeField()),
                (
                    "signer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="links", to="store.signer"
                    ),
                ),
            ],
            options={
                "db_table": "link",
            },
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("original", "Original"),
                            ("manifest", "Manifest"),
                            ("xades", "Xades"),
                            ("pades", "Pades"),
                        ],
                        max_length=8,
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("title", models.CharField(default="", max_length=80)),
                ("name", models.CharField(max_length=100)),
                ("media_type", models.CharField(max_length=100)),
                ("size", models.PositiveBigIntegerField()),
                ("sha256", models.BinaryField(max_length=32)),
                ("pages", models.PositiveIntegerField(default=0)),
                ("blob", models.CharField(max_length=64, unique=True)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="documents", to="store.job"
                    ),
                ),
                (
                    "signer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="documents",
                        to="store.signer",
                    ),
                ),
            ],
            options={
                "db_table": "document",
            },
        ),
        migrations.CreateModel(
            name="Signing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("due_at", models.DateTimeField(db_index=True, null=True)),
                ("lease_until", models.BigIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(default="", max_length=500)),
                ("agreement", models.JSONField()),
                ("agreed_at", models.DateTimeField()),
                (
                    "signer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="signing", to="store.signer"
                    ),
                ),
            ],
            options={
                "db_table": "signing",
            },
        ),
        migrations.CreateModel(
            name="StatusChange",
            fields=[
                ("due_at", models.DateTimeField(db_index=True, null=True)),
                ("lease_until", models.BigIntegerField(default=0)),
                ("fence", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("parked_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(default="", max_length=500)),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="status_change",
                        serialize=False,
                        to="store.job",
                    ),
                ),
                ("polling_queue", models.TextField(default="")),
                ("version", models.PositiveIntegerField(default=0)),
                ("sender", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="store.organization")),
            ],
            options={
                "db_table": "status_change",
            },
        ),
        migrations.AddConstraint(
            model_name="signer",
            constraint=models.UniqueConstraint(fields=("job", "number"), name="signer_number"),
        ),
        migrations.AddConstraint(
            model_name="document",
            constraint=models.UniqueConstraint(fields=("job", "kind", "number"), name="document_number"),
        ),
    ]
