"""The one exception whose message is meant for the user."""


class UserError(Exception):
    """What went wrong, where, and what to do about it, in words for the person at the terminal."""
