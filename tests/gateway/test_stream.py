"""The stream of a chat completion, as OpenAI's SDKs read it."""


def test_words_come_as_the_provider_sent_them(caller, add_route):
    add_route("ok")
    reply = caller.chat(stream=True)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.content == "Hello from upstream"
    assert reply.is_done
