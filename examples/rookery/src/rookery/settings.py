"""What the project adds to Kedro."""

from rookery.hooks import EventLog

HOOKS = (EventLog(),)
