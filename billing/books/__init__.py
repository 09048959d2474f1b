"""What checks the books: rules and stored proofs, reconciliation, margins, providers' bills."""
