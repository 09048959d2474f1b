from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class SmartokenConfig(AppConfig):
    name = "smartoken"


class SmartokenAdminConfig(AdminConfig):
    default_site = "smartoken.admin.SmartokenAdminSite"
