from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0005_document_stored_name")]

    operations = [
        migrations.AddField(
            model_name="signer",
            name="links_ended_at",
            field=models.DateTimeField(null=True),
        ),
    ]
