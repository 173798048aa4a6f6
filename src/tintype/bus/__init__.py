"""What must be heard: wake-ups, kills and progress. Everything it carries may be lost."""
