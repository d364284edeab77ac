from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0004_lookup")]

    operations = [migrations.RenameField(model_name="document", old_name="blob", new_name="stored_name")]
