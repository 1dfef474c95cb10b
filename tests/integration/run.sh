#!/usr/bin/env bash
# Runs the integration tests: real programs on free ports, data in temporary directories.
# Arguments go to unittest, as in: tests/integration/run.sh -v test_aq.Records
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec python3 -B run.py "$@"
