"""Static files, over the server that runs them in production."""

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

PATH = "/static/css/base.css"


def test_a_file_is_streamed_without_a_warning():
    async def read():
        response = await AsyncClient().get(PATH)
        return response, b"".join([part async for part in response])

    response, body = async_to_sync(read)()
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/css")
    assert len(body) == int(response.headers["content-length"])


def test_a_file_can_be_read_synchronously_too():
    response = Client().get(PATH)
    assert len(b"".join(response)) == int(response.headers["content-length"])


def test_a_missing_file_is_not_found(db):
    assert Client().get("/static/css/none.css").status_code == 404
