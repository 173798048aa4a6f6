"""The API described for machines and people: `/openapi.json`, and `/docs` made from it."""
