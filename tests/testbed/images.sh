#!/usr/bin/env bash
# Builds what the demo, the scenarios and the benchmarks run on, each image once for each state of
# its inputs (which it carries as a label):
#   slipway-host:debian12 and :debian13  a bare Debian server with systemd as its first process
#   slipway-cache                        package cache, see cache.sh
#   slipway-client                       the outside observer
#
#   images.sh [debian12|debian13|cache|client]...
#
# Where images can be pulled, BASE_IMAGE_DEBIAN12=debian:12 takes the place of the bootstrap.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

host=$testbed/host
label=slipway.inputs

suite_of() {
    case $1 in
    debian12) echo bookworm ;;
    debian13) echo trixie ;;
    esac
}

short_hash() { sha256sum | cut -c1-16; }

is_current() {
    [ "$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null)" = "$2" ]
}

# A proxy that inspects TLS stands between many machines and the package indexes: hosts trust
# what this machine was told to trust.
copy_certificates() {
    mkdir -p "$1"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp -L {} "$1" \; 2>/dev/null || true
}

pull_base() {
    local tag=$1 from=$2 inputs=$3 context=$4
    mkdir "$context/base"
    cp "$host/packages" "$host/Dockerfile.pulled" "$context/base"
    copy_certificates "$context/base/certificates"
    docker build -f "$context/base/Dockerfile.pulled" --build-arg "FROM=$from" \
        --label "$label=$inputs" -t "slipway-base:$tag" "$context/base"
}

# By way of a file: a bootstrap that broke off in a pipe would be imported as if it were whole.
bootstrap_base() {
    local tag=$1 inputs=$2 archive=$3/base.tar
    mmdebstrap --variant=minbase --include="$(paste -sd, "$host/packages")" \
        "$(suite_of "$tag")" "$archive" || return
    docker import --change "LABEL $label=$inputs" "$archive" "slipway-base:$tag"
}

build_base() {
    local tag=$1 context=$2 inputs override=BASE_IMAGE_${1^^}
    inputs=$({ cat "$host/packages" && declare -f bootstrap_base pull_base && echo "$tag ${!override:-}"; } | short_hash)
    if is_current "slipway-base:$tag" "$inputs"; then return; fi
    if [ -n "${!override:-}" ]; then
        pull_base "$tag" "${!override}" "$inputs" "$context"
    else
        bootstrap_base "$tag" "$inputs" "$context"
    fi
}

# Asked for before anything runs side by side.
prepare_bootstrap() {
    local tag override
    for tag in "$@"; do
        override=BASE_IMAGE_${tag^^}
        if [ -n "${!override:-}" ] || have mmdebstrap; then continue; fi
        install_packages "building host images" mmdebstrap debian-archive-keyring
    done
}

# build_image NAME BASE CONTEXT [BUILD-OPTION...]
build_image() {
    local name=$1 base=$2 context=$3 inputs
    shift 3
    inputs=$({
        docker image inspect --format '{{.Id}}' "$base"
        echo "$*"
        find "$context" -type f | LC_ALL=C sort | xargs cat
    } | short_hash)
    if is_current "$name" "$inputs"; then return; fi
    docker build --build-arg "BASE=$base" --label "$label=$inputs" -t "$name" "$@" "$context" || return
    touch "$work/built"
}

build_host() {
    build_base "$1" "$work" || return
    cp -r "$host" "$work/host"
    chmod 755 "$work/host"/{init,apt-proxy,use-package-cache}
    copy_certificates "$work/host/certificates"
    build_image "slipway-host:$1" "slipway-base:$1" "$work/host"
}

build_extra() {
    local options=()
    cp -r "$testbed/$1" "$work/$1"
    if [ "$1" = cache ]; then
        chmod 755 "$work/cache/serve"
        options=(--build-arg "PIP_INDEX_URL=$(configured_pip_index)")
    fi
    build_image "slipway-$1:latest" slipway-host:debian12 "$work/$1" "${options[@]}"
}

build_one() {
    local name=$1 started=$SECONDS log=$build/logs/image-$1.log builder=build_extra
    [ -z "$(suite_of "$name")" ] || builder=build_host
    work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-image.XXXXXX")
    # shellcheck disable=SC2064  # the directory of now
    trap "rm -rf '$work'" EXIT
    "$builder" "$name" >"$log" 2>&1 || {
        tail -n 8 "$log" >&2
        die "image $name could not be built; the log is $log"
    }
    if [ -e "$work/built" ]; then
        say "image $name built in $((SECONDS - started)) s"
    else
        say "image $name is up to date"
    fi
}

side_by_side() {
    local name failed=0 jobs=()
    for name in "$@"; do
        build_one "$name" &
        jobs+=($!)
    done
    for name in "${jobs[@]}"; do
        wait "$name" || failed=1
    done
    return "$failed"
}

build_all() {
    local name hosts=() extras=()
    for name in "$@"; do
        case $name in
        debian12 | debian13) hosts+=("$name") ;;
        cache | client) extras+=("$name") ;;
        *) die "there is no image '$name': choose debian12, debian13, cache or client" ;;
        esac
    done
    # The extras stand on this one.
    [ ${#extras[@]} = 0 ] || [[ " ${hosts[*]} " == *" debian12 "* ]] || hosts+=(debian12)
    prepare_bootstrap "${hosts[@]}"
    side_by_side "${hosts[@]}"
    [ ${#extras[@]} = 0 ] || side_by_side "${extras[@]}"
}

[ $# -gt 0 ] || set -- debian12 debian13 cache client
exclusively images build_all "$@"
