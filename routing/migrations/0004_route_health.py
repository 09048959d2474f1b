import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0003_probe_sums'),
    ]

    operations = [
        migrations.CreateModel(
            name='RouteHealth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('upstream_model', models.CharField(max_length=128)),
                ('failures', models.PositiveIntegerField(default=0, help_text='In a row.')),
                ('reason', models.CharField(blank=True, max_length=40)),
                ('rests_until', models.DateTimeField(blank=True, null=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('upstream', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='route_health', to='routing.upstream')),
            ],
            options={
                'verbose_name_plural': 'route health',
                'constraints': [models.UniqueConstraint(fields=('upstream', 'upstream_model'), name='one_route_health')],
            },
        ),
    ]
