"""From a question to a cited answer: retrieve -> fuse -> rerank -> prompt -> generate -> check -> cite."""
