from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0012_refused_request_ids'),
    ]

    operations = [
        migrations.AddField(
            model_name='rollup',
            name='dearest_nanos',
            field=models.BigIntegerField(db_default=9223372036854775807, help_text='No request was charged more.'),
        ),
    ]
