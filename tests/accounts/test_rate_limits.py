"""Forms that strangers can send are limited by address and by account."""

import pytest

WRONG = {"login": "alice@example.com", "password": "not the pass phrase"}


def test_sign_in_is_stopped_after_five_wrong_passwords_for_one_account(visitor, alice):
    answers = [visitor.client.post("/accounts/login/", WRONG).content.decode() for _ in range(6)]
    assert "Too many tries: wait five minutes" not in answers[4]
    assert "Too many tries: wait five minutes" in answers[5]


def test_the_right_password_does_not_pass_while_an_account_is_stopped(visitor, alice):
    alice.user.set_password("the right pass phrase")
    alice.user.save()
    for _ in range(6):
        visitor.client.post("/accounts/login/", WRONG)
    visitor.client.post("/accounts/login/", {**WRONG, "password": "the right pass phrase"})
    assert "_auth_user_id" not in visitor.client.session


@pytest.mark.parametrize(
    ("path", "tries"),
    [("/accounts/signup/", 20), ("/accounts/password/reset/", 20)],
)
def test_a_form_is_closed_to_an_address_that_sends_it_too_often(visitor, path, tries):
    responses = [visitor.client.post(path, {"email": f"{n}@example.com"}) for n in range(tries + 1)]
    assert responses[0].status_code != 429
    assert responses[-1].status_code == 429
    assert "That was tried too often" in responses[-1].content.decode()
