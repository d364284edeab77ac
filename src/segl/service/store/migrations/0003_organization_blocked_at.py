from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0002_portal_flow")]

    operations = [
        migrations.AddField(model_name="organization", name="blocked_at", field=models.DateTimeField(null=True)),
    ]
