"""Every page; `/v1` never comes here (see smartoken/asgi.py)."""

from django.contrib import admin
from django.urls import include, path

from smartoken.setup import admin_setup

urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("setup/<str:token>/", admin_setup, name="admin_setup"),
    path("admin/", admin.site.urls),
]
