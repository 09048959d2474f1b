"""The admin site, and what its pages share: nothing that money hangs on is changed or deleted in them."""

from collections.abc import Callable
from typing import Any, ClassVar

from allauth.account.decorators import secure_admin_login
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.db import IntegrityError
from django.db.models import Model, ProtectedError, QuerySet
from django.forms import Field, Form, MultiWidget
from django.forms.utils import pretty_name
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csp import csp_override
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator
from unfold.sites import UnfoldAdminSite

from accounts import audit
from accounts.models import Organization
from billing import money
from smartoken.overview import read_overview

# Unfold's Alpine evaluates expressions, its theme is an inline style block, its dialogs are frames.
ADMIN_CSP = settings.SECURE_CSP | {
    "script-src": ["'self'", "'unsafe-eval'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "frame-src": ["'self'"],
    "frame-ancestors": ["'self'"],
}


class SmartokenAdminSite(UnfoldAdminSite):
    """Signs in through allauth, relaxes the content policy for its own pages, shows only our own tables."""

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # One row at a time: a bulk deletion has no page that could say what is kept, and why.
        self.disable_action("delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        # Pages that libraries register would show second-factor secrets and sessions to every administrator.
        if admin_class and issubclass(admin_class, ModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        return csp_override(ADMIN_CSP)(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if super().has_permission(request) and not self.has_second_factor(request):
            messages.warning(request, "The admin asks for a second factor: set one up here, then open it again.")
            return redirect("mfa_index")
        return secure_admin_login(super().login)(request, extra_context=extra_context)  # type: ignore[no-untyped-call]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        overview = read_overview(request.user.has_perm)
        return super().index(request, overview | {"title": "Today"} | (extra_context or {}))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and self.has_second_factor(request)

    def has_second_factor(self, request: HttpRequest) -> bool:
        """Tell whether this person signs in strongly enough for an administrator."""
        if not settings.ADMIN_SECOND_FACTOR:
            return True
        factors = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
        return request.user.is_authenticated and is_mfa_enabled(request.user, factors)


def name_field(name: str, field: Field) -> None:
    """Say in words what a field is where its page only shows it: in a table's row, or a day beside a time."""
    label = str(field.label or pretty_name(name))
    widget: Any = getattr(field.widget, "widget", field.widget)  # Django wraps the choice of another table's row
    if isinstance(widget, MultiWidget):
        for part, word in zip(widget.widgets, ("day", "time"), strict=False):
            part.attrs["aria-label"] = f"{label}, {word}"
    else:
        widget.attrs["aria-label"] = label


class RowInline(TabularInline):
    """Rows of another table, as a table on a row's page."""

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        formset = super().get_formset(request, obj, **options)
        for name, field in formset.form.base_fields.items():
            name_field(name, field)
        return formset


class RowAdmin(ModelAdmin):
    """A table of ours. ``kept_because`` says why a row can't be deleted; domain errors become messages."""

    input_errors: ClassVar[tuple[type[Exception], ...]] = ()
    show_full_result_count = False
    actions_detail: Any = ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change, **options)
        for name, field in form.base_fields.items():
            if isinstance(field.widget, MultiWidget):
                name_field(name, field)
        return form

    # Every change of a row passes one of the next three; a page that overrides save_model calls it,
    # or a domain function that writes the audit entry itself.

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = audit.read_stored(obj) if change else {}
        super().save_model(request, obj, form, change)
        audit.record_changed(obj, before=before, actor=request.user.get_username())

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = request.user.get_username()
        changed = [row.instance for row in formset.initial_forms if row.has_changed()]
        before = {row.pk: audit.read_stored(row) for row in changed}
        for doomed in formset.deleted_forms:
            if doomed.instance.pk:
                audit.record_deleted(doomed.instance, actor=actor)
        super().save_formset(request, form, formset, change)
        for row in [*formset.new_objects, *(row for row, _ in formset.changed_objects)]:
            audit.record_changed(row, before=before.get(row.pk, {}), actor=actor)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        audit.record_deleted(obj, actor=request.user.get_username())
        super().delete_model(request, obj)

    def kept_because(self, row: Any) -> str:
        """Return the sentence that refuses to delete this row, or nothing."""
        return ""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (isinstance(obj, Model) and self.kept_because(obj))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row and self.has_view_permission(request, row) and (reason := self.kept_because(row)):
            return self.refuse(request, reason, object_id)
        try:
            return super().delete_view(request, object_id, extra_context)
        except (ProtectedError, IntegrityError):
            return self.refuse(request, f"{row} can't be deleted: other rows depend on it.", object_id)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to the audit log, which holds every change; Django's own history knows the admin's alone."""
        row = self.get_object(request, object_id)
        if row is None or not request.user.has_perm("accounts.view_auditentry"):
            history: HttpResponse = super().history_view(request, object_id, extra_context)
            return history
        organization = row.pk if isinstance(row, Organization) else getattr(row, "organization_id", None)
        return redirect(reverse("admin:accounts_auditentry_changelist", query={"q": organization or ""}))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (ProtectedError, IntegrityError):
            return self.refuse(request, "Nothing was changed: other rows depend on this one.", object_id)
        except self.input_errors as error:
            return self.refuse(request, f"Nothing was changed. {error}", object_id)

    def refuse(self, request: HttpRequest, reason: str, object_id: str | None) -> HttpResponseRedirect:
        """Show the reason on the row's page."""
        messages.error(request, reason)
        names = self.opts.app_label, self.opts.model_name
        if object_id is None:
            return HttpResponseRedirect(request.get_full_path())
        return redirect("admin:{}_{}_change".format(*names), object_id)


class ReadOnlyAdmin(RowAdmin):
    """Rows that only the gateway and the ledger write; there may be millions, so they are never counted."""

    paginator = InfinitePaginator
    list_per_page = 50
    actions = None
    show_facets = admin.ShowFacets.NEVER

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def kept_because(self, row: Any) -> str:
        return f"{str(self.opts.verbose_name_plural).capitalize()} are never deleted."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find rows by ``find``, each of whose filters is an index."""
        term = search_term.strip()
        return (self.find(queryset, term) if term else queryset), False

    def find(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        """Return the rows that this search term names."""
        return queryset.none()


@display(description="time (UTC)", ordering="created_at")
def created_at(row: Any) -> str:
    """A column with the second in which a row was made."""
    return f"{row.created_at:%Y-%m-%d\u00a0%H:%M:%S}"


def show_usd(name: str, text: str) -> Any:
    """Return a column that shows ``<name>_nanos`` exactly."""

    @display(description=text)
    def column(row: Any) -> str:
        nanos = getattr(row, f"{name}_nanos")
        return "–" if nanos is None else money.format_exact(nanos)

    return column


def link_to(row: Model | None, text: str = "") -> SafeString | str:
    """Return a link to a row's page, or a dash."""
    if row is None:
        return "–"
    opts = row._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" class="underline">{}</a>', url, text or str(row))


def link_to_list(model: type[Model], text: str, /, **filters: Any) -> SafeString:
    """Return a link to a table's list with these filters."""
    opts = model._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist", query=filters)
    return format_html('<a href="{}" class="underline">{}</a>', url, text)


def show_form(
    page: RowAdmin, request: HttpRequest, row: Model, form: Form, *, title: str, submit: str, fact: str
) -> TemplateResponse:
    """Return a page that asks before something is done to a row: what is known, a form, a button."""
    context = page.admin_site.each_context(request) | {
        "opts": page.opts,
        "row": row,
        "form": form,
        "title": f"{title}: {row}",
        "heading": title,
        "submit_text": submit,
        "fact": fact,
    }
    return TemplateResponse(request, "admin/action_form.html", context, status=400 if form.is_bound else 200)
