"""One shot before the first gateway: the bucket for pushed pictures, and the user `admin`.

Run again it changes nothing: `havengate user` sets another password.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gateway.users_file import read_users
from havengate.settings import BlobSettings, load_settings


def make_bucket(settings: BlobSettings) -> None:
    import boto3
    from botocore.config import Config

    place = settings.url.partition("://")[2].partition("/")[0]
    store = boto3.client(
        "s3",
        endpoint_url=settings.endpoint,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.access_key_secret.get_secret_value(),
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    if place not in (bucket["Name"] for bucket in store.list_buckets()["Buckets"]):
        store.create_bucket(Bucket=place)
        print(f"made the bucket {place}")


def make_admin(users: Path, password: str) -> None:
    if users.exists() and "admin" in read_users(users):
        return
    command = [sys.executable, "-m", "havengate", "user", "add", "admin", "--role", "admin"]
    subprocess.run(command, input=f"{password}\n", text=True, check=True)


def main() -> None:
    settings = load_settings()
    make_bucket(settings.blobs)
    if settings.auth.file is not None:
        make_admin(settings.auth.file, os.environ["GATEWAY_ADMIN_PASSWORD"])


if __name__ == "__main__":
    main()
