import pytest
from demo_table import plan

from havengate.errors import RequestError


@pytest.fixture(name="error_of")
def _error_of():
    """The code, message and marked part of the error that a request ends in."""

    def error_of(text, *tables, **options):
        with pytest.raises(RequestError) as caught:
            plan(text, *tables, **options)
        error = caught.value
        marked = "" if error.span is None else text[error.span.start : error.span.end]
        return error.code.name, error.message, marked

    return error_of
