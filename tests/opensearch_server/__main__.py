"""`python -m opensearch_server DATA_DIR COMMAND...`: the command with a server of its own behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from opensearch_server.jdk import Missing
from opensearch_server.server import node

if __name__ == "__main__":
    try:
        with node(Path(sys.argv[1]) / "opensearch") as url:
            environment = {"HAVENGATE_ENGINE__KIND": "opensearch", "HAVENGATE_ENGINE__HOSTS": url}
            print(f"OpenSearch on {url}", flush=True)
            sys.exit(subprocess.run(sys.argv[2:], env=os.environ | environment, check=False).returncode)
    except Missing as missing:
        sys.exit(f"{missing}; the demo without ENGINE=opensearch needs neither")
