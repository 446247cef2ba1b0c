"""The one exception whose message is meant for the user."""


class UserError(Exception):
    """An error with its place and its remedy, in words for the person at the terminal."""
