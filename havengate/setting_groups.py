"""The groups of settings: what each means, its default, its limits. havengate.settings reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

MIB = 1 << 20
SHORTEST_KEY = 16
DATA_DIR = Path("havengate-data")


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(Group):
    kind: Literal["embedded", "opensearch"] = Field("embedded", description="where rows and vectors live")
    keep_generations: int = Field(1, ge=0, description="older generations of a table to keep when it is changed")
    hosts: str = Field("http://127.0.0.1:9200", description="opensearch: comma-separated URLs of the cluster's nodes")
    user: str = Field("", description="opensearch: the user's name, if the cluster asks for one")
    password: SecretStr = Field(SecretStr(""), description="opensearch: the user's password")
    verify_certs: bool = Field(True, description="opensearch: refuse https without a trusted certificate")
    ca: Path | None = Field(None, description="opensearch: file of certificates to trust instead of the system's")
    index_prefix: str = Field(
        "havengate-",
        pattern=r"^[a-z0-9][a-z0-9._-]{0,62}-$",
        description="opensearch: what the names of indexes begin with",
    )
    timeout_s: float = Field(10.0, gt=0, description="opensearch: seconds to wait for one answer")
    refresh: Literal["wait", "none"] = Field(
        "wait",
        description="opensearch: a write is seen when the call returns, or (none, for bulk loads) a second later",
    )
    shards: int = Field(1, ge=1, le=1024, description="opensearch: shards of a new table's index")
    replicas: str = Field(
        "0-1",
        pattern=r"^\d+(-(\d+|all))?$",
        description="opensearch: copies of each shard, or a range by the nodes there are",
    )
    knn_engine: Literal["lucene", "faiss"] = Field(
        "lucene", description="opensearch: what builds a new table's graph; faiss needs its native library on the nodes"
    )

    @field_validator("hosts")
    @classmethod
    def _hosts(cls, hosts: str) -> str:
        urls = [urlsplit(host.strip()) for host in hosts.split(",") if host.strip()]
        if not urls or any(url.scheme not in ("http", "https") or not url.hostname or url.port == 0 for url in urls):
            raise ValueError("comma-separated URLs like https://node:9200")
        if any("@" in url.netloc for url in urls):
            raise ValueError("a URL may hold no password; it belongs in HAVENGATE_ENGINE__PASSWORD")
        return hosts

    @property
    def host_list(self) -> tuple[str, ...]:
        return tuple(host.strip() for host in self.hosts.split(",") if host.strip())


class AuthSettings(Group):
    users: str = Field("", description="comma-separated name:role:hash, made by `havengate user hash`")
    file: Path | None = Field(
        None, description="JSON file of users, made by `havengate user add`; read again when it changes"
    )
    rate_per_s: float = Field(
        0.0, ge=0, description="requests a second that each user may send, on average over ten seconds; 0: no limit"
    )


class LimitSettings(Group):
    request_line: int = Field(6 * MIB, ge=4096, description="longest request line in bytes (a picture by GET)")
    body: int = Field(128 * MIB, ge=1024, description="largest request body in bytes, after decompression")
    picture_bytes: int = Field(16 * MIB, ge=1024, description="largest picture file in bytes, before decoding")
    picture_pixels: int = Field(50_000_000, ge=1, description="largest picture in pixels, judged before decoding")
    window: int = Field(5000, ge=1, description="largest start + hit of one search")
    rows: int = Field(1_000_000, ge=1, description="most rows that the gateway itself sorts, groups or joins")
    fetch_ids: int = Field(1000, ge=1, description="most ids of one fetch")
    query_chars: int = Field(8 * MIB, ge=1024, description="longest HA query string in characters")
    text_chars: int = Field(1024, ge=1, description="longest query text in characters")


class PushSettings(Group):
    max_documents: int = Field(10_000, ge=1, description="most documents of one push")
    max_pictures: int = Field(64, ge=1, description="most pictures to embed of one push")


class EmbeddingSettings(Group):
    batch: int = Field(16, ge=1, le=64, description="most texts or pictures that go through a model at once")
    deadline_ms: float = Field(3.0, ge=0, description="how long the first of a micro-batch waits for others")
    text_cache: int = Field(10_000, ge=0, description="texts whose vectors are remembered")
    threads: int = Field(
        0, ge=0, description="inference threads per model; 0: one, and for the pictures of CLIP as many as cores"
    )
    queue: int = Field(256, ge=1, description="texts or pictures that wait for a model at most; more are told to retry")
    runtime: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="what runs CLIP models; auto is torch where there is a CUDA device, else openvino"
    )
    precision: Literal["auto", "f32", "bf16", "f16"] = Field(
        "auto", description="numbers that CLIP models compute with; auto is the fastest that the device has"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where CLIP models run")
    timeout_s: float = Field(30.0, gt=0, description="seconds after which a vector is not waited for any more")
    url: str = Field("", description="URL of a `havengate embed-server` that embeds instead of this process")
    user: str = Field("", description="that server's user, if it has any")
    password: SecretStr = Field(SecretStr(""), description="that user's password")
    models_dir: Path = Field(DATA_DIR / "models", description="models' files; by default a folder of the data folder")
    hub: str = Field("https://huggingface.co", description="model hub that `models pull` asks, or a mirror of it")
    hub_token: SecretStr = Field(SecretStr(""), description="token for repositories that the hub gives to some only")
    offline: Path | None = Field(
        None, description="folder with repositories as OWNER/NAME that `models pull` takes instead of the hub's"
    )
    catalogue: Path | None = Field(None, description="JSON file with models of your own (docs/models.md)")
    revisions: str = Field("", description="comma-separated REPOSITORY=REVISION to pull instead of the catalogue's")
    text_towers: str = Field("", description="comma-separated MODEL=TOWER, e.g. clip=original (English only)")
    detector: Path | None = Field(
        None, description="ONNX or OpenVINO file of an object detector for crop; none: the centre square"
    )

    @field_validator("hub", "url")
    @classmethod
    def _address(cls, address: str) -> str:
        url = urlsplit(address)
        if address and (url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc):
            raise ValueError("a URL like https://host, without a password")
        return address.rstrip("/")

    @field_validator("revisions", "text_towers")
    @classmethod
    def _pairs(cls, pairs: str) -> str:
        _mapping(pairs)
        return pairs

    @property
    def revision_map(self) -> dict[str, str]:
        return _mapping(self.revisions)

    @property
    def text_tower_map(self) -> dict[str, str]:
        return _mapping(self.text_towers)


def _mapping(pairs: str) -> dict[str, str]:
    split = [[side.strip() for side in pair.partition("=")[::2]] for pair in pairs.split(",") if pair.strip()]
    if not all(key and value for key, value in split):
        raise ValueError("comma-separated pairs KEY=VALUE")
    return dict(split)


class JobSettings(Group):
    in_server: bool = Field(True, description="`havengate serve` runs jobs, too; else `havengate worker` does")
    workers: int = Field(
        0, ge=0, le=256, description="threads that read and embed pictures of a job; 0: two for each core"
    )
    attempts: int = Field(
        5, ge=1, description="how often a job is tried at one place: a service is away, its process ends"
    )
    backoff_s: float = Field(2.0, gt=0, description="pause before the second attempt; it doubles with each further one")
    poll_s: float = Field(300.0, gt=0, description="how often sources of tables with rebuild=auto are looked at")
    keep_days: int = Field(90, ge=1, description="days that ended jobs, the change history and slow searches are kept")
    record_queries: int = Field(
        100, ge=0, description="last texts searched for in each table that a rebuild compares with; 0 keeps none"
    )


class SourceSettings(Group):
    """Ambient credentials of sources; those of a table's schema go first."""

    oss_endpoint: str = Field("", description="endpoint for oss:// and s3:// sources, and for schemas without one")
    oss_access_key_id: str = Field("", description="AccessKey id for OSS and S3; empty: the machine's own role")
    oss_access_key_secret: SecretStr = Field(SecretStr(""), description="AccessKey secret for OSS and S3")
    oss_addressing: Literal["auto", "virtual", "path"] = Field(
        "auto",
        description="where the bucket's name goes: into the host's (virtual) or the path; auto is path for addresses, "
        "localhost and names without a dot",
    )
    maxcompute_endpoint: str = Field("", description="endpoint of MaxCompute")
    maxcompute_tunnel: str = Field("", description="endpoint of MaxCompute's tunnel; empty: asked of MaxCompute")
    maxcompute_access_key_id: str = Field("", description="AccessKey id for MaxCompute")
    maxcompute_access_key_secret: SecretStr = Field(SecretStr(""), description="AccessKey secret for MaxCompute")
    timeout_s: float = Field(30.0, gt=0, description="seconds to wait for an answer of a source")


class ServerSettings(Group):
    threads: int = Field(8, ge=1, le=256, description="requests that are served at once")
    connections: int = Field(64, ge=1, le=1024, description="clients that are read from or written to at once")
    timeout_s: int = Field(60, ge=5, description="seconds after which a silent worker is restarted")
    client_timeout_s: int = Field(20, ge=1, description="seconds a client may take to send a small request")
    tls_cert: Path | None = Field(None, description="PEM file of the certificate and its chain: serve https")
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key")
    proxies: int = Field(
        0, ge=0, le=8, description="proxies in front whose X-Forwarded-For and -Proto are believed (docs/access.md)"
    )


class LogSettings(Group):
    format: Literal["text", "json"] = Field("text", description="lines of the log: for people, or one JSON object each")
    level: Literal["debug", "info", "warning", "error"] = Field("warning", description="what is logged at least")
    audit: Path | None = Field(None, description="file for the audit lines; none: they go to the log")
    slow_ms: float = Field(1000.0, ge=0, description="searches that take longer are logged with their plan; 0: none")
    slow_index: bool = Field(False, description="opensearch: slow searches are kept in an index for Dashboards, too")


class RecallSettings(Group):
    share: float = Field(
        0.01, ge=0, le=1, description="share of approximate searches that are run again exactly, in the background"
    )
    busy: float = Field(0.05, gt=0, le=1, description="most of the time that this may take")


class ImageSettings(Group):
    key: SecretStr = Field(
        SecretStr(""),
        description="secret that signs the tokens of /images; none: made in the data folder. Gateways of one cluster "
        "need the same",
    )
    cache_mib: int = Field(64, ge=0, description="memory for thumbnails that were made")

    @field_validator("key")
    @classmethod
    def _not_guessable(cls, key: SecretStr) -> SecretStr:
        # Whoever has a token can try keys at home.
        if key.get_secret_value() and len(key.get_secret_value().strip()) < SHORTEST_KEY:
            raise ValueError(f"at least {SHORTEST_KEY} characters; `openssl rand -hex 32` makes a key")
        return key


class BlobSettings(Group):
    """Where pushed Base64 pictures are kept."""

    url: str = Field("", description="s3://BUCKET/PREFIX that keeps pushed pictures; none: the data folder")
    endpoint: str = Field("", description="that store's endpoint; none: HAVENGATE_SOURCES__OSS_ENDPOINT")
    access_key_id: str = Field("", description="AccessKey id for it; none: as for sources")
    access_key_secret: SecretStr = Field(SecretStr(""), description="AccessKey secret for it")

    @field_validator("url")
    @classmethod
    def _bucket(cls, url: str) -> str:
        place = urlsplit(url)
        if url and (place.scheme not in ("s3", "oss") or not place.hostname or place.query or place.fragment):
            raise ValueError("a place like s3://bucket/prefix")
        return url.rstrip("/")
