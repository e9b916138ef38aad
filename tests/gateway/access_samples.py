"""Users and their passwords. The hashes are cheap; what they cost is not what these tests are about."""

from base64 import b64encode
from functools import cache

from werkzeug.security import generate_password_hash

PASSWORD = "p@ss:wörd"


def basic(name, password=PASSWORD):
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


@cache
def hashed(password):
    return generate_password_hash(password, "pbkdf2:sha256:1")
