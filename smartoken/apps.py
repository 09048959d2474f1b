from django.apps import AppConfig


class SmartokenConfig(AppConfig):
    name = "smartoken"
