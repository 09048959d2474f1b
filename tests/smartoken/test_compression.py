"""Pages go out compressed, streams as they come."""

from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from smartoken.compression import CompressionMiddleware

REQUEST = RequestFactory().get("/", headers={"accept-encoding": "gzip"})


def test_a_page_is_compressed():
    response = CompressionMiddleware(lambda request: HttpResponse("a page " * 100))(REQUEST)
    assert response["content-encoding"] == "gzip" and len(response.content) < 400


def test_a_stream_is_not():
    response = CompressionMiddleware(lambda request: StreamingHttpResponse(["event " * 100, "event"]))(REQUEST)
    assert "content-encoding" not in response
    assert list(response) == [b"event " * 100, b"event"]
