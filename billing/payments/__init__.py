"""Ways to pay: codes that are redeemed, and orders paid by card through Stripe Checkout."""
