"""What the service knows: models, transactions and encrypted documents. The only room with models."""
