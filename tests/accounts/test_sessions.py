"""What is left of a browser that is signed in no longer."""

from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import tasks


def sign_in(user):
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": "a pass phrase"}, headers={"user-agent": "Lynx"})
    return client


def test_a_session_that_is_over_leaves_nothing_behind(visitor, alice):
    alice.user.set_password("a pass phrase")
    alice.user.save()
    here, out, old = (sign_in(alice.user) for _ in range(3))
    out.post("/accounts/logout/")
    Session.objects.filter(pk=old.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert UserSession.objects.count() == 3
    for _ in range(2):
        tasks.forget_sessions()
    assert UserSession.objects.get().session_key == Session.objects.get().pk == here.session.session_key
    assert here.get("/console/").status_code == 200
