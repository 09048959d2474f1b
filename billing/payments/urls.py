from django.urls import path

from billing.payments import views

urlpatterns = [
    path("console/wallet/", views.wallet_page, name="wallet"),
    path("payments/stripe/", views.stripe_webhook, name="stripe_webhook"),
]
