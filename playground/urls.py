from django.urls import path

from playground import play, run, views

urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/<slug:slug>/", views.model, name="model"),
    path("playground/", play.show, name="playground"),
    path("playground/run/", run.run, name="playground_run"),
]
