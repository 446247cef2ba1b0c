"""What all tests need of the process that they run in."""

import signal

# pytest-xdist's workers ignore it, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
