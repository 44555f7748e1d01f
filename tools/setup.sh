#!/bin/sh
# Install a lock file and this project into a virtual environment: sh tools/setup.sh LOCKFILE
# VENV says where (default .venv), PYTHON with what (default: the newest of python3.13 .. python3 that is at least 3.11).
# Uses uv where it is on the path, else the venv and pip that come with Python. Running it again mends what is there.
set -eu

lock=$1
venv=${VENV:-.venv}

say() { printf 'setup: %s\n' "$*"; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# The first name that runs and is new enough: a version manager's shim may be on the path and still not run.
find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    say "expected Python 3.11 or newer, found: $("${PYTHON:-python3}" --version 2>/dev/null || echo none)." >&2
    say "Install one (python3.11, python3.12 ...), or say where it is: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
}

make_venv() {
    python=$(find_python)
    say "$("$python" --version) into $venv"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$python" "$venv"
    elif "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    else # Debian without python3-venv: no pip inside, the one outside installs into it
        "$python" -m venv --without-pip "$venv"
    fi
}

install() {
    if command -v uv >/dev/null; then
        uv pip install --quiet --python "$venv/bin/python" "$@"
    elif "$venv/bin/python" -c 'import pip' 2>/dev/null; then
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
    else
        "$(find_python)" -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check "$@"
    fi
}

if ! new_enough "$venv/bin/python"; then make_venv; fi
say "installing what $lock names (some minutes the first time)"
install --require-hashes -r "$lock"
install --no-deps --no-build-isolation -e .
say "ready: $venv/bin/geomon"
