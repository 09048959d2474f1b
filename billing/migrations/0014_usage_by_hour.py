from datetime import timedelta

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce

from billing.models.usage import UNKNOWN_NANOS, Hour


def is_postgresql(schema_editor):
    return schema_editor.connection.vendor == "postgresql"


class AddIndex(AddIndexConcurrently):
    """Add an index, on PostgreSQL beside those who write."""

    def database_forwards(self, app_label, schema_editor, *states):
        kind = AddIndexConcurrently if is_postgresql(schema_editor) else migrations.AddIndex
        kind.database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(self, app_label, schema_editor, *states):
        kind = AddIndexConcurrently if is_postgresql(schema_editor) else migrations.AddIndex
        kind.database_backwards(self, app_label, schema_editor, *states)


class RemoveIndex(RemoveIndexConcurrently):
    """Remove an index, on PostgreSQL beside those who write."""

    def database_forwards(self, app_label, schema_editor, *states):
        kind = RemoveIndexConcurrently if is_postgresql(schema_editor) else migrations.RemoveIndex
        kind.database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(self, app_label, schema_editor, *states):
        kind = RemoveIndexConcurrently if is_postgresql(schema_editor) else migrations.RemoveIndex
        kind.database_backwards(self, app_label, schema_editor, *states)


def fill(apps, schema_editor):
    """Look for the highest charge of each hour, but for those that an older process may still be adding to."""
    records, rollups = apps.get_model("billing", "UsageRecord").objects, apps.get_model("billing", "Rollup").objects
    mark = apps.get_model("billing", "Mark").objects.filter(name="usage_rolled_up").first()
    if mark is None:
        return
    of_rollup = records.alias(hour=Hour("created_at")).filter(
        key=OuterRef("key"), model=OuterRef("model"), hour=Hour(OuterRef("hour"))
    )
    highest = Subquery(of_rollup.order_by("-charge_nanos").values("charge_nanos")[:1])
    waiting = rollups.filter(dearest_nanos=UNKNOWN_NANOS, hour__lt=mark.at - timedelta(hours=2))
    for hour in waiting.order_by("hour").values_list("hour", flat=True).distinct():
        rollups.filter(hour=hour).update(dearest_nanos=Coalesce(highest, 0))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0013_dearest_of_hours'),
    ]

    operations = [
        AddIndex(
            model_name='usagerecord',
            index=models.Index(models.F('key'), models.F('model'), Hour('created_at'), models.OrderBy(models.F('charge_nanos'), descending=True), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='usage_by_hour'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        AddIndex(
            model_name='rollup',
            index=models.Index(fields=['organization', '-dearest_nanos', '-hour'], name='rollups_by_dearest'),
        ),
        RemoveIndex(
            model_name='usagerecord',
            name='usage_by_charge',
        ),
        AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('tag', ''), _negated=True), fields=['organization', 'tag', '-created_at', '-id'], include=['status', 'model', 'key', 'user', 'charge_nanos'], name='usage_tagged'),
        ),
        RemoveIndex(
            model_name='usagerecord',
            name='usage_by_tag',
        ),
    ]
