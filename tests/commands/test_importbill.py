import pytest
from django.core.management import CommandError, call_command

from billing.models import BillLine
from routing.models import Provider

TEXT = "day,model,tokens,cost\n2026-11-01,chat,10,1\n2026-11-02,chat,10,2\n"
GIVEN = ["--provider=deepseek", "--currency=CNY", "--rate=0.14"]


@pytest.fixture(autouse=True)
def provider(db):
    Provider.objects.create(slug="deepseek", name="DeepSeek")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "bill.csv"
    path.write_text(TEXT)
    return path


def test_it_says_what_it_did(file, capsys):
    call_command("importbill", str(file), *GIVEN)
    call_command("importbill", str(file), *GIVEN)
    first, again = capsys.readouterr().out.splitlines()
    assert first == "deepseek: 2 lines of 2026-11-01 to 2026-11-02: 2 new, 0 replaced; $0.4200 in all"
    assert "0 new, 2 replaced" in again
    assert BillLine.objects.count() == 2


def test_one_bad_line_and_nothing_is_imported(file):
    file.write_text(TEXT + "2026-11-03,chat,many,3\n2026-11-04,,1,3\n")
    with pytest.raises(CommandError, match=r"Line 4, tokens: .* Line 5, model: "):
        call_command("importbill", str(file), *GIVEN)
    assert not BillLine.objects.exists()


@pytest.mark.parametrize("wrong", ["--provider=deepsee", "--currency=yuan", "--rate=0"])
def test_a_wrong_option_imports_nothing(file, wrong):
    with pytest.raises(CommandError):
        call_command("importbill", str(file), *GIVEN, wrong)
    assert not BillLine.objects.exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"none.csv: No such file"):
        call_command("importbill", str(tmp_path / "none.csv"), *GIVEN)
