"""Looking for words in the documentation."""

from playground.docs_search import load_sections, search


def addresses(text):
    return [f"{hit.section.page.slug}#{hit.section.anchor}" for hit in search(text)]


def test_a_code_leads_to_its_own_section_first():
    assert addresses("budget_exceeded")[0] == "errors#budget_exceeded"
    assert addresses("SMARTOKEN_URL")[0] == "settings#smartoken_url"


def test_every_word_must_be_there():
    assert "chat-completions#the-same-request-twice" in addresses("idempotency-key 24 hours")
    assert addresses("idempotency-key zebra") == []


def test_a_search_is_a_page_without_a_script(client, db):
    page = client.get("/docs/search/", {"q": "Retry-After"}).text
    assert "<mark>Retry-After</mark>" in page and 'href="/docs/errors/' in page
    assert 'name="q" type="search" value="Retry-After"' in page


def test_what_is_typed_gives_the_first_few_in_place(client, db):
    response = client.get("/docs/search/", {"q": "key"}, headers={"HX-Request": "true"})
    assert "<html" not in response.text and response.text.count("<li>") == 6
    assert "more</a>" in response.text and "HX-Request" in response["Vary"]


def test_a_search_without_result_says_so(client, db):
    page = client.get("/docs/search/", {"q": "<b>xyzzy</b>"}).text
    assert "Nothing found" in page and "<b>xyzzy</b>" not in page


def test_an_empty_search_tells_what_can_be_looked_for(client, db):
    assert "What do you look for?" in client.get("/docs/search/").text
    assert client.get("/docs/search/", headers={"HX-Request": "true"}).text.strip() == ""


def test_markup_in_a_section_stays_text():
    hits = search("think")
    assert any("&lt;<mark>think</mark>&gt;" in hit.excerpt for hit in hits)


def test_every_section_has_an_address_and_words():
    assert all(section.anchor or section.heading == "" for section in load_sections())
    assert len(load_sections()) > 100


def test_money_words_are_found_in_the_documentation(client):
    for word in ("refund", "stripe", "redeem", "statement", "receipt"):
        assert "/docs/wallet/" in client.get("/docs/search/", {"q": word}).text, word
