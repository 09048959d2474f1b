from django.urls import path

from accounts import views

urlpatterns = [
    # In front of allauth's own: where no mail can be sent, this page shows the link.
    path("accounts/confirm-email/", views.verification_sent, name="account_email_verification_sent"),
    path("console/keys/", views.keys, name="keys"),
    path("console/keys/new/", views.new_key, name="key_new"),
    path("console/keys/<int:pk>/", views.edit_key, name="key"),
    path("console/keys/<int:pk>/revoke/", views.revoke_key, name="key_revoke"),
    path("console/keys/<int:pk>/rotate/", views.rotate_key, name="key_rotate"),
    path("console/keys/<int:pk>/first-call/", views.first_call, name="key_first_call"),
    path("console/audit/", views.audit_log, name="audit"),
    path("console/settings/", views.settings, name="settings"),
]
