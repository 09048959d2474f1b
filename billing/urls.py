from django.urls import include, path

from billing import views

urlpatterns = [
    path("console/usage/", views.usage, name="usage"),
    path("console/usage/<uuid:pk>/", views.request_page, name="request"),
    path("console/usage/refused/", views.refused, name="refused"),
    path("", include("billing.payments.urls")),
    path("console/usage.csv", views.usage_csv, name="usage_csv"),
    path("console/statements/", views.statement_list, name="statements"),
    path("console/statements/<str:month>/", views.statement_page, name="statement"),
    path("console/statements/<str:month>.csv", views.statement_csv, name="statement_csv"),
]
