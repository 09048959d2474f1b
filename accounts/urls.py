from django.urls import path

from accounts import api, management_views, member_views, views

urlpatterns = [
    # In front of allauth's own: where no mail can be sent, this page shows the link.
    path("accounts/confirm-email/", views.verification_sent, name="account_email_verification_sent"),
    path("console/keys/", views.keys, name="keys"),
    path("console/keys/new/", views.new_key, name="key_new"),
    path("console/keys/<int:pk>/", views.edit_key, name="key"),
    path("console/keys/<int:pk>/revoke/", views.revoke_key, name="key_revoke"),
    path("console/keys/<int:pk>/rotate/", views.rotate_key, name="key_rotate"),
    path("console/keys/<int:pk>/hand-over/", views.hand_over_key, name="key_hand_over"),
    path("console/keys/<int:pk>/first-call/", views.first_call, name="key_first_call"),
    path("console/audit/", views.audit_log, name="audit"),
    path("console/members/", member_views.list_members, name="members"),
    path("console/members/<int:pk>/role/", member_views.change_role, name="member_role"),
    path("console/members/<int:pk>/remove/", member_views.remove_member, name="member"),
    path("console/members/invitations/<int:pk>/withdraw/", member_views.withdraw, name="invitation_withdraw"),
    path("console/leave/", member_views.leave, name="leave"),
    path("console/organization/", member_views.switch, name="organization_switch"),
    path("console/organization/new/", member_views.create_own, name="organization_new"),
    path("invitations/<int:pk>/accept/", member_views.accept, name="invitation_accept"),
    path("invitations/<str:secret>/", member_views.show_invitation, name="invitation"),
    path("console/management-keys/", management_views.list_keys, name="management_keys"),
    path("console/management-keys/<int:pk>/revoke/", management_views.revoke, name="management_key_revoke"),
    path("api/keys/", api.KeyList.as_view(), name="api_keys"),
    path("api/keys/<int:pk>/", api.KeyDetail.as_view(), name="api_key"),
    path("console/settings/", views.settings, name="settings"),
]
