from django.urls import include, path

from billing import api, views

urlpatterns = [
    path("api/usage/", api.UsageList.as_view(), name="api_usage"),
    path("api/wallet/", api.Wallet.as_view(), name="api_wallet"),
    path("console/usage/", views.usage, name="usage"),
    path("console/usage/<uuid:pk>/", views.request_page, name="request"),
    path("console/usage/refused/", views.refused, name="refused"),
    path("", include("billing.payments.urls")),
    path("console/usage.csv", views.usage_csv, name="usage_csv"),
    path("console/statements/", views.statement_list, name="statements"),
    path("console/statements/<str:month>/", views.statement_page, name="statement"),
    path("console/statements/<str:month>.csv", views.statement_csv, name="statement_csv"),
    path("console/statements/<str:month>/entries.csv", views.statement_entries_csv, name="statement_entries_csv"),
]
