#!/usr/bin/env bash
# molecule.sh SCENARIO [ACTION [OPTION...]]: Molecule on one scenario, `test` unless told otherwise.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || die "name a scenario: $(cd "$root/molecule" && echo */molecule.yml | sed 's#/molecule.yml##g')"
scenario=$1 action=${2:-test}
shift $(($# > 1 ? 2 : 1))
[ -f "$root/molecule/$scenario/molecule.yml" ] || die "there is no scenario '$scenario' under molecule/"
[ -x "$root/.venv/bin/molecule" ] || die "the development environment isn't there yet: run 'make setup' first."

cd "$root"
SLIPWAY_DOCKER=$(command -v docker) || die "there is no docker command yet: run 'make engine' first."
SLIPWAY_ENGINE_VERSION=$("$SLIPWAY_DOCKER" version --format '{{.Server.Version}}') ||
    die "no Docker engine answers: run 'make engine' first."
export SLIPWAY_DOCKER SLIPWAY_ENGINE_VERSION
export PATH=$testbed/bin:$root/.venv/bin:$PATH
export MOLECULE_GLOB='molecule/*/molecule.yml'
# Borders cut long lines, which is where errors have their reasons.
export MOLECULE_COMMAND_BORDERS=false
export ANSIBLE_COLLECTIONS_PATH=$root/.collections
[ -t 1 ] || export NO_COLOR=1
exec molecule "$action" -s "$scenario" "$@"
