from django.urls import path

from playground import calls, docs_views, history_views, play, pricing_views, run, status_views, views

urlpatterns = [
    path("models/", views.model_list, name="models"),
    path("models/<slug:slug>/", views.model_page, name="model"),
    path("pricing/", pricing_views.prices, name="pricing"),
    path("changelog/", pricing_views.changes, name="changelog"),
    path("docs/", docs_views.index, name="docs"),
    path("docs/search/", docs_views.find, name="docs_search"),
    path("docs/<slug:slug>.md", docs_views.markdown, name="docs_markdown"),
    path("docs/<slug:slug>/", docs_views.page, name="docs_page"),
    path("status/", status_views.show, name="status"),
    path("playground/", play.show, name="playground"),
    path("playground/run/", run.run, name="playground_run"),
    path("playground/call/", calls.show_call, name="playground_call"),
    path("playground/history/", history_views.show, name="playground_history"),
    path("playground/history/save/", history_views.save, name="playground_history_save"),
    path("playground/history/keep/", history_views.choose, name="playground_history_choose"),
    path("playground/history/delete/", history_views.delete_all, name="playground_history_delete_all"),
    path("playground/history/<uuid:pk>/delete/", history_views.delete, name="playground_history_delete"),
    path("playground/charge/<uuid:pk>/", play.show_charge, name="playground_charge"),
]
