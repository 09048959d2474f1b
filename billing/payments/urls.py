from django.urls import path

from billing.payments import views

urlpatterns = [
    path("console/wallet/", views.wallet_page, name="wallet"),
    path("console/receipts/", views.receipt_list, name="receipts"),
    path("console/receipts/<int:pk>/", views.receipt_page, name="receipt"),
    path("payments/stripe/", views.stripe_webhook, name="stripe_webhook"),
]
