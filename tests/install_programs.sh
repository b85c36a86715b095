#!/bin/sh
# Finds the programs that the tests need besides Python's, or installs Debian's where it may: a browser, a voice, a PostgreSQL.
set -eu
missing=""
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing="chromium"
command -v espeak-ng >/dev/null 2>&1 || missing="$missing espeak-ng"
command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
if [ -z "$missing" ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the tests: $missing ..."
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
else
    echo "The tests need $missing: install it (Debian, Ubuntu: sudo apt-get install $missing) and run again." >&2
    exit 1
fi
