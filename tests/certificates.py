"""Certificates made by openssl, for tests of TLS."""

import subprocess


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_pair(folder, name="server", *, host="gateway.test", days=2):
    """A certificate that signs itself for ``host``, and its key: (``name``.pem, ``name``.key)."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},DNS:localhost,IP:127.0.0.1"]
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, *names)
    # Only this command takes a number of days below zero.
    openssl(folder, "x509", "-in", cert, "-signkey", key, "-days", str(days), "-out", cert, "-copy_extensions", "copy")
    return cert, key
