"""What can be asked of a pool: why this route, a test call, put back now."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from billing.attempts import REASONS
from routing import standing
from routing.dryrun import Imagined, explain, explain_key
from routing.models import Pool, Upstream
from routing.testcall import QUESTION, find_routes, send_test_call
from smartoken.admin import RowAdmin

TEMPLATE = "admin/pool_question.html"


class WhyForm(forms.Form):
    """A request that is only imagined."""

    key = forms.CharField(
        label="API key",
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="How it begins, such as sk-smt-a1B2. Empty: any.",
    )
    input_tokens = forms.IntegerField(
        label="Input tokens", min_value=1, max_value=10**7, initial=1000, widget=UnfoldAdminTextInputWidget
    )
    output_tokens = forms.IntegerField(
        label="Its own output limit",
        min_value=1,
        max_value=10**7,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Empty: it names none.",
    )
    tools = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget)
    images = forms.BooleanField(required=False, widget=UnfoldBooleanSwitchWidget)
    json = forms.BooleanField(label="JSON", required=False, widget=UnfoldBooleanSwitchWidget)


def route_form(pool: Pool, data: Any) -> forms.Form:
    """Return the form that chooses one of the pool's routes."""
    choices = [(one.label, one.label if is_on else f"{one.label} (off)") for one, is_on in find_routes(pool=pool)]
    form = forms.Form(data)
    form.fields["route"] = forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget)
    return form


def upstream_form(pool: Pool, data: Any) -> forms.Form:
    """Return the form that chooses one of the pool's upstreams that rest or are set aside."""
    now = timezone.now()
    rests = (
        Q(health__rests_until__gt=now) | Q(health__set_aside_at__isnull=False) | Q(route_health__rests_until__gt=now)
    )
    resting = Upstream.objects.filter(rests, routes__pool=pool).distinct().order_by("slug")
    form = forms.Form(data)
    form.fields["upstream"] = forms.ModelChoiceField(resting, empty_label=None, widget=UnfoldAdminSelectWidget)
    return form


def has_choices(form: forms.Form, name: str) -> bool:
    """Tell whether there is anything to choose."""
    return len(form[name]) > 0


class PoolQuestions(RowAdmin):
    """The pages behind the buttons of a pool's page; the base of its ``ModelAdmin``."""

    actions_detail: Any = ("why", "test_call", "put_back")

    def _find(self, request: HttpRequest, object_id: int) -> Pool:
        pool: Pool | None = self.get_object(request, str(object_id))
        if pool is None:
            raise Http404
        return pool

    def _show(self, request: HttpRequest, pool: Pool, form: forms.Form, **context: Any) -> TemplateResponse:
        shared = self.admin_site.each_context(request) | {"opts": self.opts, "row": pool, "form": form}
        status = 400 if form.is_bound and form.errors else 200
        return TemplateResponse(request, TEMPLATE, shared | context, status=status)

    def has_ask_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_change_permission(request)

    @action(description="Why this route", url_path="why", icon="alt_route")
    def why(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show which routes an imagined request would try, in which order, and why not the others."""
        pool = self._find(request, object_id)
        form = WhyForm(request.GET if "input_tokens" in request.GET else None)
        asked = dict(form.cleaned_data) if form.is_bound and form.is_valid() else {}
        prefix = asked.pop("key", "")
        return self._show(
            request,
            pool,
            form,
            heading="Why this route",
            method="get",
            submit_text="Ask",
            about_key=explain_key(prefix=prefix, model=pool.model.slug) if prefix else "",
            considered=None if form.errors else explain(model=pool.model.slug, imagined=Imagined(**asked)),
        )

    @action(description="Send a test call", url_path="test-call", permissions=["ask"], icon="send")
    def test_call(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for a route; on POST send it one short request, and show what came of it."""
        pool = self._find(request, object_id)
        form = route_form(pool, request.POST or None)
        report = problem = None
        if form.is_valid():
            route = next(one for one, _ in find_routes(pool=pool) if one.label == form.cleaned_data["route"])
            report = send_test_call(route)
            problem = REASONS.get(report.problem, report.problem)
            self.log_change(request, pool, f"Sent a test call to {route.label}")
        fact = (
            f"One real request (“{QUESTION}”) goes to the provider, who bills this site for it; no wallet is charged."
        )
        return self._show(
            request,
            pool,
            form,
            heading="Send a test call",
            method="post",
            submit_text="Send",
            fact=fact,
            nothing="" if has_choices(form, "route") else "This pool has no route.",
            report=report,
            problem=problem,
        )

    @action(description="Put back now", url_path="put-back", permissions=["ask"], icon="replay")
    def put_back(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Ask for an upstream; on POST end its rest on every process."""
        pool = self._find(request, object_id)
        form = upstream_form(pool, request.POST or None)
        if form.is_valid():
            upstream = form.cleaned_data["upstream"]
            standing.put_back(upstream=upstream, actor=request.user.get_username())
            self.log_change(request, pool, f"Put {upstream} back")
            messages.success(request, f"{upstream} is tried again within a second.")
            return redirect("admin:routing_pool_change", object_id)
        return self._show(
            request,
            pool,
            form,
            heading="Put back now",
            method="post",
            submit_text="Put back",
            fact="Ends an upstream's rest, or lets its credential be tried again.",
            nothing="" if has_choices(form, "upstream") else "No upstream of this pool rests now.",
        )
