#!/usr/bin/env bash
# Builds the host images slipway-host:debian12 and slipway-host:debian13, once for each state of
# their inputs, which an image carries as a label.
#   images.sh [debian12] [debian13]
# Where images can be pulled, BASE_IMAGE_DEBIAN12=debian:12 takes the place of debootstrap.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

host=$testbed/host
label=slipway.inputs

suite_of() {
    case $1 in
    debian12) echo bookworm ;;
    debian13) echo trixie ;;
    *) die "there is no host image '$1': choose debian12 or debian13" ;;
    esac
}

fingerprint() { cat "$@" | sha256sum | cut -c1-16; }

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
    cp "$host/packages" "$host/Dockerfile.pulled" "$context"
    copy_certificates "$context/certificates"
    docker build -f "$context/Dockerfile.pulled" --build-arg "FROM=$from" \
        --label "$label=$inputs" -t "slipway-base:$tag" "$context"
}

bootstrap_base() {
    local tag=$1 suite=$2 inputs=$3 tree=$4/root
    have debootstrap || install_packages "building host images" debootstrap
    can_be_root || die "debootstrap needs root: run this with sudo rights, or set BASE_IMAGE_${tag^^}=debian:${tag#debian} where images can be pulled."
    as_root debootstrap --variant=minbase --include="$(paste -sd, "$host/packages")" "$suite" "$tree" || return
    as_root rm -rf "$tree"/var/lib/apt/lists "$tree"/var/cache/apt/archives
    as_root mkdir -p "$tree"/var/lib/apt/lists/partial "$tree"/var/cache/apt/archives/partial
    as_root tar -C "$tree" -c . | docker import --change "LABEL $label=$inputs" - "slipway-base:$tag"
}

build_base() {
    local tag=$1 context=$2 suite inputs override=BASE_IMAGE_${1^^}
    suite=$(suite_of "$tag")
    inputs=$(echo "$suite ${!override:-}" | fingerprint "$host/packages" -)
    if is_current "slipway-base:$tag" "$inputs"; then return; fi
    if [ -n "${!override:-}" ]; then
        pull_base "$tag" "${!override}" "$inputs" "$context"
    else
        bootstrap_base "$tag" "$suite" "$inputs" "$context"
    fi
}

build_host() {
    local tag=$1 context inputs started=$SECONDS
    context=$(mktemp -d "${TMPDIR:-/tmp}/slipway-$tag.XXXXXX")
    # shellcheck disable=SC2064  # the path of now, not of the moment of the exit
    trap "as_root rm -rf '$context'" EXIT
    build_base "$tag" "$context" >"$build/logs/image-$tag.log" 2>&1 || {
        tail -n 8 "$build/logs/image-$tag.log" >&2
        die "the base of $tag could not be built; the log is $build/logs/image-$tag.log"
    }
    mkdir "$context/host"
    cp "$host"/{Dockerfile,init,apt-proxy,use-package-cache,apt.conf} "$context/host"
    chmod 755 "$context/host"/{init,apt-proxy,use-package-cache}
    copy_certificates "$context/host/certificates"
    inputs=$(docker image inspect --format '{{.Id}}' "slipway-base:$tag" |
        cat - "$context"/host/[!c]* <(find "$context/host/certificates" -type f -exec cat {} + | sort) | sha256sum | cut -c1-16)
    if is_current "slipway-host:$tag" "$inputs"; then
        say "host image $tag is up to date"
        return
    fi
    docker build --build-arg "BASE=slipway-base:$tag" --label "$label=$inputs" \
        -t "slipway-host:$tag" "$context/host" >>"$build/logs/image-$tag.log" 2>&1 || {
        tail -n 8 "$build/logs/image-$tag.log" >&2
        die "host image $tag could not be built; the log is $build/logs/image-$tag.log"
    }
    say "host image $tag built in $((SECONDS - started)) s"
}

build_all() {
    local tag failed=0 jobs=()
    for tag in "$@"; do
        (build_host "$tag") &
        jobs+=($!)
    done
    for tag in "${jobs[@]}"; do
        wait "$tag" || failed=1
    done
    return "$failed"
}

[ $# -gt 0 ] || set -- debian12 debian13
for tag in "$@"; do suite_of "$tag" >/dev/null; done
exclusively images build_all "$@"
