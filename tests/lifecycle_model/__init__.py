"""A model of the tasks' life, and the real store held against it."""
