from importlib import import_module

from django.db import migrations, models

by_hour = import_module("billing.migrations.0014_usage_by_hour")


def analyze(apps, schema_editor):
    """Let PostgreSQL know how many records an hour has, before it comes to it by itself."""
    if by_hour.is_postgresql(schema_editor):
        schema_editor.execute("ANALYZE billing_usagerecord, billing_rollup")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0014_usage_by_hour'),
    ]

    operations = [
        by_hour.AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('status__in', ['aborted', 'failed'])), fields=['organization', '-created_at', '-id'], include=['status', 'model', 'key', 'user', 'tag', 'input_tokens', 'output_tokens', 'charge_nanos'], name='usage_went_wrong'),
        ),
        by_hour.RemoveIndex(
            model_name='usagerecord',
            name='usage_problems',
        ),
        migrations.RunPython(analyze, migrations.RunPython.noop),
    ]
