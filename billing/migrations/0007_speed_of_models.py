from datetime import UTC

from django.db import migrations, models
from django.db.models import Sum
from django.db.models.functions import TruncDay

FIGURES = ("completed", "failed", "client_errors", "first_token_ms", "timed", "stream_ms", "stream_tokens")


def fill(apps, schema_editor):
    """Sum the roll-ups anew, with how fast answers streamed."""
    rollups = apps.get_model("billing", "Rollup").objects.exclude(upstream="demo").order_by()
    model_sum = apps.get_model("billing", "ModelSum")
    model_sum.objects.all().delete()
    for span, starts_at in (("hour", models.F("hour")), ("day", TruncDay("hour", tzinfo=UTC))):
        found = rollups.values("model", starts_at=starts_at).annotate(**{f"sum_{name}": Sum(name) for name in FIGURES})
        model_sum.objects.bulk_create(
            (
                model_sum(
                    span=span,
                    starts_at=row["starts_at"],
                    model=row["model"],
                    **{name: row[f"sum_{name}"] for name in FIGURES},
                )
                for row in found.iterator()
            ),
            batch_size=500,
        )


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_usage_by_user'),
    ]

    operations = [
        migrations.AddField(
            model_name='modelsum',
            name='stream_ms',
            field=models.BigIntegerField(default=0, help_text='Sum over the requests in `timed`, from the first token on.'),
        ),
        migrations.AddField(
            model_name='modelsum',
            name='stream_tokens',
            field=models.BigIntegerField(default=0, help_text='Sum over the requests in `timed`.'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
