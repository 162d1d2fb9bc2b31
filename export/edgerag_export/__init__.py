"""Model preparation: from published weights to a small, measured model folder. The runtime never imports it."""
