"""What streams in the Playground, and how it ends."""

import pytest
from playwright.sync_api import expect

from billing.models import UsageRecord
from playground import history
from playground.models import Conversation
from routing.models import Route, UpstreamHealth
from tests.browser.conftest import STATIC_FILES
from tests.browser.inspection import AXE, HERE, THEMES, WIDER
from tests.gateway.callers import eventually
from tests.gateway.conftest import in_force

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings(STATIC_FILES)]


@pytest.fixture
def playground(open_page, member, wallet):
    page = open_page(membership=member)
    page.goto("/playground/?model=deepseek")
    return page


def ask(page, text="Hello"):
    page.get_by_label("Your message").fill(text)
    page.get_by_role("button", name="Send").click()


def answer(page):
    return page.locator(".turn-answer").last


def test_an_answer_says_what_it_cost_and_leads_to_its_record(playground, add_route, member):
    add_route("ok")
    ask(playground)
    expect(answer(playground)).to_contain_text("Hello from upstream")
    expect(answer(playground)).to_contain_text("12 tokens in, 3 out · $0.0000105 · first token")
    record = UsageRecord.objects.get(organization=member.organization)
    expect(answer(playground).get_by_role("link")).to_have_attribute("href", f"/console/usage/{record.pk}/")


def test_reasoning_is_folded_apart(playground, add_route):
    add_route("ok-reasoning")
    ask(playground)
    expect(answer(playground).get_by_text("Reasoning 3 characters")).to_be_visible()
    expect(answer(playground).locator("[data-part=reasoning]")).to_be_hidden()
    expect(answer(playground).locator("[data-part=text]")).to_have_text("42")
    expect(answer(playground)).to_contain_text("12 tokens in, 3 out (2 reasoning)")


def test_the_next_question_carries_what_was_said(playground, add_route, upstream):
    add_route("ok")
    ask(playground, "One")
    expect(playground.locator("#state")).to_have_text("Answered")
    ask(playground, "Two")
    expect(playground.locator(".turn-answer .turn-facts").nth(1)).to_be_visible()
    said = [message["content"] for message in upstream.requests[-1].body["messages"]]
    assert said == ["One", "Hello from upstream", "Two"]


def test_escape_stops_an_answer_and_keeps_what_had_come(playground, add_route, upstream, member):
    add_route("held")
    ask(playground)
    expect(answer(playground)).to_contain_text("Hello")
    playground.keyboard.press("Escape")
    expect(playground.locator("#state")).to_have_text("Stopped")
    expect(answer(playground)).to_contain_text("stopped: charged $0.0000", timeout=10_000)
    record = eventually(lambda: UsageRecord.objects.filter(organization=member.organization).first())
    assert (record.status, record.ended_by) == ("aborted", "client")


def test_a_provider_that_breaks_off_is_told_below_what_had_come(playground, add_route):
    add_route("break-mid-stream")
    ask(playground)
    expect(playground.locator("#state")).to_have_text("Failed")
    expect(answer(playground)).to_contain_text("Hello from upstream")
    expect(answer(playground).get_by_role("alert")).to_be_visible()


def test_the_demo_says_that_it_is_one(playground):
    ask(playground)
    expect(answer(playground)).to_contain_text("demo answer, not this model")


def test_an_empty_wallet_refuses_and_keeps_what_was_typed(open_page, member):
    refused = "Failed to load resource: the server responded with a status of 402 (Payment Required)"
    page = open_page(membership=member, expected=refused)
    page.goto("/playground/?prompt=Keep+me")
    page.get_by_role("button", name="Send").click()
    expect(answer(page).get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Your message")).to_have_value("Keep me")


def test_a_new_conversation_forgets_the_old_one(playground, add_route, upstream):
    add_route("ok")
    ask(playground, "One")
    playground.get_by_role("button", name="New conversation").click()
    ask(playground, "Two")
    expect(playground.locator("#state")).to_have_text("Answered")
    assert [message["content"] for message in upstream.requests[-1].body["messages"]] == ["Two"]


# --- side by side ------------------------------------------------------------


def columns(page):
    return page.locator(".play-column")


def test_three_models_answer_side_by_side_and_one_is_stopped(open_page, member, wallet, add_route, upstream):
    for family, behaviour in (("deepseek", "ok"), ("kimi", "held"), ("qwen", "held")):
        add_route(behaviour, family=family)
    page = open_page(membership=member)
    page.goto("/playground/?model=deepseek&model=kimi")
    page.get_by_role("button", name="Add a model").click()
    columns(page).nth(2).get_by_label("Model", exact=True).select_option("qwen")
    expect(page.get_by_role("button", name="Add a model")).to_be_disabled()
    ask(page)
    expect(columns(page).nth(0).locator(".turn-facts")).to_contain_text("12 tokens in, 3 out")
    for number in (1, 2):
        expect(columns(page).nth(number).locator(".turn-text")).to_have_text("Hello")
    columns(page).nth(1).get_by_role("button", name="Stop").click()
    expect(columns(page).nth(1)).to_contain_text("stopped: charged", timeout=10_000)
    expect(columns(page).nth(2).get_by_role("button", name="Stop")).to_be_visible()
    upstream.open_gate()
    expect(page.locator("#state")).to_have_text("2 answered, 1 stopped")
    expect(columns(page).nth(2).locator(".turn-text")).to_have_text("Hello from upstream")


def test_a_phone_keeps_the_message_in_view(open_page, member, wallet, add_route):
    add_route("echo")
    page = open_page(membership=member)
    page.set_viewport_size({"width": 360, "height": 560})
    page.goto("/playground/?model=deepseek")
    page.get_by_text("This call as code").click()
    ask(page, "\n\n".join(f"Line {number}" for number in range(60)))
    expect(page.locator("#state")).to_have_text("Answered")
    expect(page.get_by_label("Your message")).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("Line 59").last).to_be_in_viewport()


def test_a_phone_shows_a_tab_for_each_model(open_page, member, wallet, add_route):
    page = open_page(membership=member, width=360)
    page.goto("/playground/?model=deepseek&model=kimi")
    page.get_by_role("button", name="Kimi").click()
    expect(columns(page).nth(1)).to_be_visible()
    expect(columns(page).nth(0)).to_be_hidden()
    columns(page).nth(1).get_by_role("button", name="Remove this model").click()
    expect(columns(page)).to_have_count(1)
    expect(columns(page)).to_be_visible()


# --- what an answer may do -----------------------------------------------------

HOSTILE = """# Title
**bold** <script>document.title = "owned"</script> <img src=x onerror="document.title = 'owned'">
<p style="color: red">styled</p>

[click](javascript:document.title='owned') [site](https://example.com) ![pixel](https://example.com/p.png)

| a | b |
| - | :-: |
| 1 | 2 |

```python
print("hi")
```

3. third
"""


def test_an_answer_is_markdown_that_can_do_nothing(playground, add_route):
    asked = []
    playground.on("request", lambda request: asked.append(request.url))
    add_route("echo")
    ask(playground, HOSTILE)
    expect(playground.locator("#state")).to_have_text("Answered")
    text = answer(playground).locator(".turn-text")
    expect(text.locator("strong")).to_have_text("bold")
    assert text.locator("script, img, [style], [onerror]").count() == 0
    expect(text).to_contain_text("<script>document.title")
    links = text.locator("a").evaluate_all("all => all.map(a => [a.textContent, a.href, a.rel])")
    rel = "noopener noreferrer"
    assert links == [["site", "https://example.com/", rel], ["Image: pixel", "https://example.com/p.png", rel]]
    expect(text.locator(".scroll > table td").nth(1)).to_have_text("2")
    expect(text.locator(".scroll > table td").nth(1)).to_have_css("text-align", "center")
    expect(text.locator("ol")).to_have_attribute("start", "3")
    text.get_by_role("button", name="Copy").click()
    expect(text.get_by_role("button", name="Copied")).to_be_visible()
    assert playground.title() == "Playground · SmarToken"
    assert not [url for url in asked if "example.com" in url]


CUT_SHORT = """async () => {
  let isSent = true;
  const pull = (stream) => stream.enqueue(new TextEncoder().encode("data: 1\\n\\n"));
  const stream = new ReadableStream({ pull, cancel: () => (isSent = false) });
  for await (const data of readEvents(stream)) break;
  return isSent;
}"""


def test_an_answer_that_is_not_read_on_is_not_sent_on(playground):
    assert playground.evaluate(CUT_SHORT) is False


def test_a_failed_answer_says_what_to_do_and_is_tried_again(open_page, member, wallet, add_route):
    refused = "Failed to load resource: the server responded with a status of 502 (Bad Gateway)"
    page = open_page(membership=member, expected=refused)
    page.goto("/playground/?model=deepseek")
    route = add_route("refuse-500")
    ask(page)
    expect(answer(page).get_by_role("alert")).to_contain_text("Try again, or take another model.")
    Route.objects.filter(pk=route.pk).update(upstream_model="ok")
    UpstreamHealth.objects.all().delete()
    in_force()
    answer(page).get_by_role("button", name="Try again").click()
    expect(page.locator("#state")).to_have_text("Answered")
    expect(page.locator(".turn-answer")).to_have_count(1)


# --- to take home and to pass on -------------------------------------------------


def test_the_code_follows_what_is_typed(playground):
    playground.get_by_text("This call as code").click()
    playground.get_by_text("System message and parameters").click()
    playground.get_by_label("Temperature").fill("0.3")
    playground.get_by_label("Your message").fill("It's me")
    code = playground.get_by_label("cURL").locator("code")
    expect(code).to_contain_text('"temperature": 0.3')
    expect(code).to_contain_text("It'\\''s me")


def test_a_link_holds_what_is_typed_and_a_reload_keeps_it(open_page, member, wallet):
    page = open_page(membership=member)
    page.goto("/playground/")
    page.get_by_role("button", name="Add a model").click()
    page.locator("#model-2").select_option("kimi")
    page.get_by_label("Your message").fill("Ünïque & <b>")
    page.reload()
    expect(page.locator("#model-2")).to_have_value("kimi")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Share").click()
    expect(page.locator("#state")).to_contain_text("Link copied")
    page.evaluate("sessionStorage.clear()")
    page.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(page.locator("#model-2")).to_have_value("kimi")
    expect(page.get_by_label("Your message")).to_have_value("Ünïque & <b>")
    page.get_by_label("Your message").fill("long " * 2000)
    page.get_by_role("button", name="Share").click()
    expect(page.locator("#state")).to_contain_text("Too long for a link")


# --- the history -------------------------------------------------------------


def test_a_conversation_is_kept_reopened_continued_and_deleted(playground, add_route, upstream):
    add_route("ok")
    ask(playground, "Remember the river")
    playground.wait_for_url("**/playground/?conversation=*")
    playground.goto("/playground/")
    playground.get_by_role("link", name="History").first.click()
    playground.get_by_role("link", name="Remember the river").click()
    expect(answer(playground)).to_contain_text("Hello from upstream")
    ask(playground, "And then?")
    expect(playground.locator("#state")).to_have_text("Answered")
    said = [message["content"] for message in upstream.requests[-1].body["messages"]]
    assert said == ["Remember the river", "Hello from upstream", "And then?"]
    playground.get_by_role("link", name="History").first.click()
    playground.get_by_role("button", name="Delete “Remember the river”").click()
    expect(playground.get_by_text("Nothing yet.")).to_be_visible()
    playground.keyboard.press("Escape")
    expect(playground.get_by_role("dialog")).to_be_hidden()
    playground.reload()
    expect(playground.get_by_text("not in your history any more")).to_be_visible()


def said(model, text):
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "So it is."}]
    return {"columns": [{"model": model, "messages": messages}]}


def test_an_answer_keeps_the_name_of_a_model_that_is_gone(open_page, member, wallet):
    kept = history.save(membership=member, content=said("retired-1", "Are you there?"))
    page = open_page(membership=member)
    page.goto(f"/playground/?conversation={kept}")
    expect(answer(page).get_by_role("heading", name="retired-1")).to_be_visible()


def test_the_last_search_of_the_history_has_the_last_word(open_page, member, wallet):
    for text in ("Slow river", "Fast river"):
        history.save(membership=member, content=said("deepseek", text))
    page, held = open_page(membership=member), []
    page.route("**/playground/history/?q=slow*", lambda route: held.append(route))
    page.goto("/playground/")
    page.get_by_role("link", name="History").first.click()
    for words in ("slow", "fast"):
        page.locator("#history-words").fill(words)
        page.get_by_role("button", name="Find").click()
    expect(page.locator("#history-part")).not_to_contain_text("Slow river")
    with page.expect_response("**/?q=slow*") as answered:
        held[0].continue_()
    answered.value.finished()
    expect(page.locator("#history-part")).not_to_contain_text("Slow river")


def test_without_a_storage_everything_but_the_memory_works(open_page, member, wallet, add_route):
    add_route("ok")
    page = open_page(membership=member)
    page.add_init_script("Object.defineProperty(window, 'sessionStorage', {get() { throw new Error('off'); }})")
    page.goto("/playground/")
    ask(page)
    expect(answer(page)).to_contain_text("Hello from upstream")
    page.get_by_role("link", name="History").first.click()
    expect(page.locator("#history-part li")).to_have_count(1)


def test_nothing_is_kept_when_the_history_is_off(playground, add_route, member):
    add_route("ok")
    playground.get_by_role("link", name="History").first.click()
    playground.get_by_role("switch").click()
    expect(playground.get_by_role("switch")).to_have_attribute("aria-checked", "false")
    playground.keyboard.press("Escape")
    ask(playground)
    expect(playground.locator("#state")).to_have_text("Answered")
    playground.get_by_role("link", name="History").first.click()
    expect(playground.get_by_text("Nothing is kept.")).to_be_visible()
    assert not Conversation.objects.filter(user=member.user).exists()


# --- images ------------------------------------------------------------------

SHRINKS = """async ([width, height]) => {
  const canvas = Object.assign(document.createElement("canvas"), {width, height});
  canvas.getContext("2d").fillRect(0, 0, width, height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const data = new DataTransfer();
  data.items.add(new File([blob], "large.png", {type: "image/png"}));
  document.getElementById("prompt").dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, cancelable: true}));
}"""
SIZE = """async (url) => {
  const image = new Image(); image.src = url; await image.decode(); return [image.naturalWidth, image.naturalHeight];
}"""


def test_an_image_goes_to_the_models_that_see(open_page, member, wallet, add_route, upstream):
    add_route("ok", family="deepseek")
    add_route("ok", family="kimi", images=False)
    page = open_page(membership=member)
    page.goto("/playground/?model=deepseek&model=kimi")
    page.evaluate(SHRINKS, [4000, 1000])
    expect(page.get_by_role("img", name="large.png")).to_be_visible()
    page.locator("#images").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"})
    expect(page.get_by_text("notes.txt is no PNG, JPEG, WebP or GIF image.")).to_be_visible()
    ask(page, "What is it?")
    expect(page.locator("#state")).to_have_text("2 answered")
    contents = [request.body["messages"][-1]["content"] for request in upstream.requests]
    (seen,) = [content for content in contents if content != "What is it?"]
    assert page.evaluate(SIZE, seen[1]["image_url"]["url"]) == [1568, 392]
    expect(columns(page).nth(1)).to_contain_text("does not see images: it gets the text alone")
    expect(columns(page).nth(0).get_by_role("img", name="Image sent")).to_be_visible()


def test_an_image_is_taken_away_again_and_four_are_the_most(playground):
    for _ in range(5):
        playground.evaluate(SHRINKS, [10, 10])
    expect(playground.get_by_text("A message takes 4 images")).to_be_visible()
    playground.get_by_role("button", name="Remove large.png").first.click()
    expect(playground.locator("#attached img")).to_have_count(3)


@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_with_answers_and_panels_open(open_page, member, wallet, add_route, width):
    add_route("ok-reasoning", family="deepseek")
    add_route("echo", family="kimi", images=False)
    page = open_page(membership=member, width=width)
    page.context.add_init_script(path=HERE / "axe-core" / "axe.min.js")
    page.goto("/playground/?model=kimi&model=deepseek")
    page.evaluate(SHRINKS, [10, 10])
    for summary in ("System message and parameters", "This call as code"):
        page.get_by_text(summary).click()
    ask(page, HOSTILE)
    expect(page.locator("#state")).to_have_text("2 answered")
    for is_open in (False, True):
        if is_open:
            page.locator("#history").click()
            expect(page.locator("#history-part li")).to_have_count(1)
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            assert page.evaluate(AXE) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (is_open, page.evaluate(WIDER))
