"""Mails of a site without EMAIL_URL."""

from io import StringIO

from django.core.mail import EmailMessage

from smartoken.environment import mailer_config
from smartoken.printedmail import PrintingBackend

LINK = "https://gateway.example/accounts/confirm-email/" + "Mw:1xW83F:Ex78YpT6KXDtKnVgp45ZQmMRn0KVmoK" * 4


def printed(body: str) -> str:
    stream = StringIO()
    mail = EmailMessage("“Nightly” has spent its budget", body, to=["nora@lab.example"])
    assert PrintingBackend(stream=stream).send_messages([mail]) == 1
    return stream.getvalue()


def test_a_long_link_stays_on_one_line():
    text = printed(f"Confirm your address:\n\n{LINK}\n")
    assert LINK in text.splitlines()
    assert "To: nora@lab.example" in text and "“Nightly” has spent its budget" in text


def test_nothing_in_a_mail_moves_the_terminals_cursor():
    assert "\x1b" not in printed("a name of \x1b[2J")


def test_it_is_what_a_site_without_mail_has(monkeypatch):
    monkeypatch.delenv("EMAIL_URL", raising=False)
    assert mailer_config() == {"BACKEND": "smartoken.printedmail.PrintingBackend"}
