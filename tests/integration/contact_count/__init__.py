"""A third score, as small as one can be: how many touchpoints a customer began, and when the last one was."""
