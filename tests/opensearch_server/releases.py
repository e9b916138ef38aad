"""What a server of each tested release is made of; all of it is on Maven Central."""

from __future__ import annotations

from dataclasses import dataclass

_MODULES = (
    "transport-netty4-client",
    "lang-painless",
    "opensearch-scripting-painless-spi",
    "analysis-common",
    "mapper-extras-client",
    "reindex-client",
    "parent-join-client",
)
_PLUGINS = (
    "org.opensearch.transport.Netty4",
    "org.opensearch.index.mapper.MapperExtras",
    "org.opensearch.index.reindex.Reindex",
    "org.opensearch.join.ParentJoin",
    "org.opensearch.analysis.common.CommonAnalysis",
)


@dataclass(frozen=True, slots=True)
class Release:
    """A server's version, the oldest Java that runs it, its jars, its plugins' classes and the launcher's sources."""

    version: str
    java: int
    modules: tuple[str, ...]
    libraries: tuple[tuple[str, str, str], ...]
    plugins: tuple[str, ...]
    knn: str
    sources: tuple[str, ...]


RELEASES = {
    # The newest server of Java 17 whose modules and k-NN plugin are all published.
    "2.19.6": Release(
        "2.19.6",
        17,
        _MODULES,
        (("org.apache.logging.log4j", "log4j-core", "2.25.4"), ("net.java.dev.jna", "jna", "5.13.0")),
        (*(f"{name}Plugin" for name in _PLUGINS), "ExtendedPainless"),
        "org.opensearch.knn.plugin.KNNPlugin",
        ("TestNode.java", "ExtendedPainless.java"),
    ),
    # The newest of all of which that holds. Its k-NN plugin takes guava from a module that is not needed otherwise.
    "3.6.0": Release(
        "3.6.0",
        21,
        (*_MODULES, "transport-grpc-spi"),
        (
            ("org.apache.logging.log4j", "log4j-core", "2.25.3"),
            ("net.java.dev.jna", "jna", "5.16.0"),
            ("com.google.guava", "guava", "33.2.1-jre"),
        ),
        (*(f"{name}ModulePlugin" for name in _PLUGINS), "org.opensearch.painless.PainlessModulePlugin"),
        "org.opensearch.knn.plugin.KNNPlugin",
        ("TestNode.java",),
    ),
}
DEFAULT = "2.19.6"
