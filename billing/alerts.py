"""Alerts: a budget that nears its end or is spent, a wallet that runs low. Rows that are raised, mailed once, lifted.

Only people look at them: admission knows nothing of alerts. An alert is open until its
reason is gone; then the same limit can raise it again.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import F, Q, QuerySet, Sum

from accounts.models import APIKey, Membership
from billing import rows
from billing.budgets import WINDOW_KINDS
from billing.models import Alert, LedgerEntry, Limit

Kind = Alert.Kind
BUDGET_KINDS = (Kind.BUDGET_80, Kind.BUDGET_100)


def raise_alerts() -> None:
    """Raise what is not open yet; of two at once each alert is raised by one."""
    now = rows.read_clock()
    opened = set(Alert.objects.filter(lifted_at=None).values_list("limit", "kind"))
    found = (*_find_budgets(now), *_find_wallets(now))
    if new := [alert for alert in found if (alert.limit_id, alert.kind) not in opened]:
        Alert.objects.bulk_create(new, ignore_conflicts=True)


def lift_alerts() -> None:
    """Lift those whose window has ended, whose budget was raised, whose wallet has recovered."""
    now = rows.read_clock()
    is_open = Alert.objects.filter(lifted_at=None)
    over = [alert.pk for alert in is_open.select_related("limit", "organization") if _is_over(alert, now)]
    if over:
        is_open.filter(pk__in=over).update(lifted_at=now)


def list_alerts(*, membership: Membership, kinds: Iterable[str] = Kind.values) -> list[Alert]:
    """Return the open alerts that concern a member, of a limit the gravest: own keys', and an owner the wallet's.

    The wallet's comes first, then the latest.
    """
    alerts = Alert.objects.filter(organization=membership.organization_id, lifted_at=None, kind__in=list(kinds))
    alerts = alerts.filter(Q(limit__ends_at=None) | Q(limit__ends_at__gt=rows.read_clock()))
    if membership.role != Membership.Role.OWNER:
        alerts = alerts.exclude(kind=Kind.LOW_BALANCE)
    if membership.role == Membership.Role.MEMBER:
        alerts = alerts.filter(limit__key__in=APIKey.objects.visible_to(membership))
    gravest = {alert.limit_id: alert for alert in alerts.select_related("limit__key").order_by("raised_at", "pk")}
    return sorted(gravest.values(), key=lambda alert: (alert.kind in BUDGET_KINDS, -alert.pk))


def _near(limit: int) -> int:
    """Return 80 % of a limit; multiplied first, a large one would not fit its column."""
    return limit - limit // 5


# --- what raises -------------------------------------------------------------


def _find_budgets(now: datetime) -> Iterator[Alert]:
    """Yield an alert for each current window of which 80 % or all is spent."""
    windows = Limit.objects.filter(
        kind__in=WINDOW_KINDS,
        starts_at__lte=now,
        ends_at__gt=now,
        spent_nanos__gt=0,
        spent_nanos__gte=F("limit_nanos") - F("limit_nanos") / 5,
        organization__budget_alerts=True,
        organization__closed_at=None,
    )
    for window in windows:
        assert window.limit_nanos is not None
        kind = Kind.BUDGET_100 if window.spent_nanos >= window.limit_nanos else Kind.BUDGET_80
        yield _alert(window, kind, window.limit_nanos, window.spent_nanos, now)


def _find_wallets(now: datetime) -> Iterator[Alert]:
    """Yield an alert for each wallet below its organization's line, if its credits were ever above it."""
    wallets = Limit.objects.filter(kind=Limit.Kind.WALLET, organization__closed_at=None)
    low = wallets.annotate(line=F("organization__low_balance_nanos")).filter(
        line__gt=F("limit_nanos") - F("spent_nanos") - F("held_nanos")
    )
    # Most wallets that are low never had more: one statement finds those few that had.
    taken = _sum_taken_back(low.filter(limit_nanos__lte=F("line")))
    for wallet in low.filter(Q(limit_nanos__gt=F("line")) | Q(pk__in=list(taken))):
        if (wallet.limit_nanos or 0) - taken.get(wallet.pk, 0) > wallet.line:
            yield _alert(wallet, Kind.LOW_BALANCE, wallet.line, _balance(wallet), now)


def _sum_taken_back(wallets: "QuerySet[Limit]") -> dict[int, int]:
    """Return the (negative) sums of what was taken out of these wallets otherwise than by requests."""
    kinds = [LedgerEntry.Kind.PAYOUT, LedgerEntry.Kind.REVERSAL, LedgerEntry.Kind.ADJUSTMENT]
    taken = LedgerEntry.objects.filter(kind__in=kinds, request=None, amount_nanos__lt=0)
    sums = taken.filter(wallet__in=wallets.values("pk")).values_list("wallet").annotate(total=Sum("amount_nanos"))
    return {wallet: int(total) for wallet, total in sums}


def _balance(wallet: Limit) -> int:
    return (wallet.limit_nanos or 0) - wallet.spent_nanos


def _alert(limit: Limit, kind: Kind, line: int, reached: int, now: datetime) -> Alert:
    return Alert(
        organization_id=limit.organization_id,
        limit=limit,
        kind=kind,
        limit_nanos=line,
        spent_nanos=reached,
        raised_at=now,
    )


# --- what lifts --------------------------------------------------------------


def _is_over(alert: Alert, now: datetime) -> bool:
    limit, organization = alert.limit, alert.organization
    if organization.closed_at:
        return True
    if alert.kind == Kind.LOW_BALANCE:
        return _has_recovered(alert, organization.low_balance_nanos)
    if not organization.budget_alerts or limit.limit_nanos is None or (limit.ends_at and limit.ends_at <= now):
        return True
    return limit.spent_nanos < (limit.limit_nanos if alert.kind == Kind.BUDGET_100 else _near(limit.limit_nanos))


def _has_recovered(alert: Alert, line: int | None) -> bool:
    """Tell whether the wallet is above the line again: by credit, or because the line was lowered.

    Not because a running request gave its hold back: near the line that would mail on each request.
    """
    if line is None:
        return True
    free = alert.limit.free_nanos or 0
    return free >= line and (line < alert.limit_nanos or _balance(alert.limit) > alert.spent_nanos)
