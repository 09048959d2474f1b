from django.urls import path

from billing import views

urlpatterns = [
    path("console/usage/", views.usage, name="usage"),
    path("console/usage/<uuid:pk>/", views.request_page, name="request"),
    path("console/wallet/", views.wallet_page, name="wallet"),
]
