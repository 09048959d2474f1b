"""Every page; `/v1` never comes here (see smartoken/asgi.py)."""

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.permissions import AllowAny

from accounts.api import unknown
from smartoken import account_closing, crawlers, dashboard, home, operator_texts, privacy, styleguide
from smartoken.setup import admin_setup

urlpatterns = [
    path("", home.home, name="home"),
    path("favicon.ico", home.favicon),
    path("robots.txt", crawlers.robots, name="robots"),
    path("sitemap.xml", crawlers.sitemap, name="sitemap"),
    path("llms.txt", crawlers.llms, name="llms"),
    path("privacy/", privacy.show, name="privacy"),
    path("terms/", operator_texts.terms, name="terms"),
    path("support/", operator_texts.support, name="support"),
    path("", include("playground.urls")),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("console/", dashboard.show, name="dashboard"),
    path("console/settings/close/", account_closing.close_account, name="account_close"),
    path("api/schema/", SpectacularAPIView.as_view(permission_classes=[AllowAny]), name="api_schema"),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    re_path("^api/", unknown),
    path("accounts/", include("allauth.urls")),
    path("setup/<str:token>/", admin_setup, name="admin_setup"),
    path("admin/", admin.site.urls),
]
