"""Ways to pay: codes that are redeemed, and orders paid by card through Stripe Checkout.

An order and its payment, in the order in which it usually happens:

1. ``orders.open_order`` commits a TopUp row: what is to be paid and what is credited for it.
2. ``checkout.start`` asks Stripe for a Checkout Session, outside any transaction, and keeps its id
   in the row before anybody learns its address. Where that fails, the order is closed.
3. The person pays on Stripe's page, and comes back to the wallet, which knows nothing yet.
4. Stripe sends signed events to ``/payments/stripe/``, several times or in any order.
   ``messages`` reads them, ``events`` applies each once: paid orders are credited.
5. Refunds and disputes are kept as claims of the payment, known here or not, and whatever is
   claimed but not yet taken back becomes a reversal, when the last of the two has arrived.

Locks are taken in one order: the payment's claim, the order, then the wallet.
"""
