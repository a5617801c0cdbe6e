#!/bin/sh
# Installs sasrec-serve into a virtual environment of its own, as the container and the systemd
# unit use it.
#
#   sh serve/install.sh FOLDER [EXTRAS]      sh serve/install.sh /opt/sasrec-serve parquet,redis
#
# FOLDER must not exist yet. EXTRAS are those of pyproject.toml, separated by commas; "none" for none.
# PYTHON names another Python than python3. If a C compiler is there, the fast scan is compiled;
# it is not needed afterwards. The versions are those of constraints.txt, where that file is there.
set -eu

source=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${1:?"give the folder to install into, such as /opt/sasrec-serve"}
extras=${2:-approximate,postgres,redis}
if [ -e "$folder" ]; then
    echo "install.sh: $folder exists; remove it or give another folder" >&2
    exit 2
fi

# Built from a copy, so that the source may be read-only and leftovers of other builds do not matter.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for part in pyproject.toml setup.py README.md src; do
    cp -R "$source/$part" "$copy/"
done
find "$copy" -name '*.so.1' -exec rm {} +

wanted=$copy
[ "$extras" = none ] || wanted="${copy}[$extras]"
"${PYTHON:-python3}" -m venv "$folder"
set -- --quiet --no-cache-dir --disable-pip-version-check
if [ -f "$source/../constraints.txt" ]; then
    set -- "$@" --constraint "$source/../constraints.txt"
fi
"$folder/bin/python" -m pip install "$@" "$wanted"
"$folder/bin/sasrec-serve" --help > /dev/null
# The server needs no pip, and what is not there cannot be misused.
"$folder/bin/python" -m pip uninstall --quiet --yes --disable-pip-version-check pip setuptools
