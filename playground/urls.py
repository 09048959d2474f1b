from django.urls import path

from playground import play, run, views

urlpatterns = [
    path("models/", views.model_list, name="models"),
    path("models/<slug:slug>/", views.model_page, name="model"),
    path("playground/", play.show, name="playground"),
    path("playground/run/", run.run, name="playground_run"),
]
