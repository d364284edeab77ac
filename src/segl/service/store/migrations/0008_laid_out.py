from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0007_queue_and_parked_indexes")]

    operations = [
        migrations.AlterField(
            model_name="document",
            name="kind",
            field=models.CharField(
                max_length=8,
                choices=[
                    ("original", "Original"),
                    ("laid_out", "Laid Out"),
                    ("pages", "Pages"),
                    ("typeset", "Typeset"),
                    ("manifest", "Manifest"),
                    ("xades", "Xades"),
                    ("pades", "Pades"),
                ],
            ),
        )
    ]
