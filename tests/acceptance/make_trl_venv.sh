#!/usr/bin/env bash
# Make a venv with TRL 1.16.0 on a CPU build of torch. It trains the tiny Llama that make_llamafactory_venv.sh builds, or DATAGEN_TRL_MODEL.
# Usage: make_trl_venv.sh [VENV]   (default: $DATAGEN_TRL_VENV or ~/.cache/trl-venv). Does nothing that is done already.
set -euo pipefail
VENV="${1:-${DATAGEN_TRL_VENV:-$HOME/.cache/trl-venv}}"
if [ ! -f "$VENV/.installed" ]; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q torch==2.13.0
  "$VENV/bin/pip" install -q trl==1.16.0 peft==0.21.2 datasets==5.2.0 pyyaml
  touch "$VENV/.installed"
fi
echo "$VENV"
