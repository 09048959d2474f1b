from django.urls import include, path

from billing import views

urlpatterns = [
    path("console/usage/", views.usage, name="usage"),
    path("console/usage/<uuid:pk>/", views.request_page, name="request"),
    path("", include("billing.payments.urls")),
]
