"""Nonsense in the environment refuses to start, in a sentence."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from smartoken import environment


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIGNUP", "everybody"),
        ("SIGNUP_CREDIT_USD", "Infinity"),
        ("SIGNUP_CREDIT_USD", "-1"),
        ("SIGNUP_CREDIT_USD", "0.0000000001"),
        ("ALARM_EMAILS", "root@example.com,root"),
        ("ALARM_EMAILS", "root@example.com"),  # and nothing to send mail with
        ("ALARM_WEBHOOK_URL", "alarms.example.com/canary7f3a"),
        ("ALARM_WEBHOOK_URL", "ftp://alarms.example.com"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("SMARTOKEN_CREDENTIAL_KEYS", "short"),
        ("SMARTOKEN_IDLE_SECONDS", "0"),
        ("STRIPE_SECRET_KEY", "pk_test_canary7f3a"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_canary7f3a"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_canary7f3a"),
        ("STRIPE_API_BASE", "http://stripe.example"),
        ("STRIPE_API_BASE", "https://stripe.example/v1"),
        ("USAGE_DAYS", "31"),
        ("SMARTOKEN_TERMS", "no-such-file.md"),
        ("SMARTOKEN_SUPPORT", "mailto:help@example.com"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name) as refused:
        environment.check_values()
    assert "canary" not in str(refused.value)


def test_a_database_that_has_vanished_is_noticed_in_seconds(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://user:word@db.example/name?tcp_user_timeout=9000&sslmode=require")
    options = environment.database_config()["OPTIONS"]
    assert options == {"connect_timeout": 3, "tcp_user_timeout": 9000, "sslmode": "require"}


@pytest.mark.parametrize("names", [["STRIPE_SECRET_KEY"], ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"]])
def test_stripes_secrets_are_taken(monkeypatch, names):
    for name in names:
        monkeypatch.setenv(name, {"STRIPE_SECRET_KEY": "rk_live_7f3aAbc9"}.get(name, "whsec_a+b/c=9b1c"))
    environment.check_values()


def test_what_the_defaults_say_makes_sense():
    environment.check_values()


def test_a_command_makes_links_to_where_the_site_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "DATA_DIR", tmp_path)
    monkeypatch.delenv("SMARTOKEN_URL", raising=False)
    (tmp_path / "url").write_text("http://127.0.0.1:8123")
    assert environment.public_url().geturl() == "http://127.0.0.1:8123"
    monkeypatch.setenv("SMARTOKEN_URL", "https://gateway.example.com")
    assert environment.public_url().geturl() == "https://gateway.example.com"
