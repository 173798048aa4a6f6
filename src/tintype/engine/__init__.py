"""What draws. Knows requests and pixels, nothing of tasks, SQL or HTTP."""
