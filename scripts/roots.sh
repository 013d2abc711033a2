# shellcheck shell=bash
# RabbitMQ of a Debian release inside a root file system of its own, beside whatever the machine
# has. To be sourced after machine.sh, with this directory in `here`; `root VERSION` prints the
# path of the script that starts it, and says on standard error what it does.
#
# A root is made in a directory that only becomes DIR/VERSION when it is complete: what is there
# under that name is whole, however often the making was interrupted.

# shellcheck disable=SC2034
versions="3.10, 4.0, 4.3"
default_roots=/var/cache/rmq-scenario

# The Debian release whose package is of this version.
suite_of() {
    case $1 in
        3.10) echo bookworm ;;
        4.0) echo trixie ;;
        4.3) echo forky ;;
        *) return 1 ;;
    esac
}

root() {
    local roots=${RMQ_SCENARIO_ROOTS:-$default_roots}
    if complete "$roots/$1"; then
        printf '%s\n' "$roots/$1/rabbitmq-server"
    elif [ "$(id -u)" = 0 ]; then
        need_tools && make_root "$1" "$roots"
    elif may_be_root; then
        # shellcheck disable=SC2154
        as_root env RMQ_SCENARIO_ROOTS="$roots" RMQ_SCENARIO_ENGINE=none \
            RMQ_SCENARIO_MIRROR="${RMQ_SCENARIO_MIRROR:-}" \
            RMQ_SCENARIO_UNSIGNED="${RMQ_SCENARIO_UNSIGNED:-}" \
            "$here/rabbitmq" "$1"
    else
        say "error: making a root file system for RabbitMQ $1 needs root"
        say "  once, for all users: sudo scripts/rabbitmq $1"
        return 1
    fi
}

# Whether a directory holds a root, of the version that it is named for.
complete() {
    local lib
    [ -x "$1/rabbitmq-server" ] || return 1
    for lib in "$1/root/usr/lib/rabbitmq/lib/rabbitmq_server-${1##*/}".*; do
        [ -d "$lib" ] && return 0
    done
    return 1
}

need_tools() {
    local tool missing=()
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    command -v bwrap >/dev/null || missing+=(bubblewrap)
    command -v gpgv >/dev/null || missing+=(gpgv)
    [ -e "$debian_keys" ] || missing+=(debian-archive-keyring)
    [ ${#missing[@]} = 0 ] && return 0
    if command -v apt-get >/dev/null; then
        say "installing ${missing[*]} with apt-get"
        install_with_apt "${missing[@]}" || say "that failed"
    fi
    for tool in debootstrap bwrap; do
        command -v "$tool" >/dev/null && continue
        say "error: there is no $tool here, which a RabbitMQ beside the machine's own needs"
        say "  install the packages: ${missing[*]}"
        return 1
    done
}

# One maker at a time: the second finds what the first has made.
make_root() (
    version=$1 roots=$2
    mkdir -p "$roots"
    exec 9>"$roots/.$version.lock"
    if ! flock -n 9; then
        say "waiting for somebody else who makes the root file system of RabbitMQ $version"
        flock 9
    fi
    if ! complete "$roots/$version"; then
        # Only a maker that was killed leaves these, and nobody else is one while we have the lock.
        rm -rf "${roots:?}/$version" "$roots/.making-$version".*
        making=$(mktemp -d "$roots/.making-$version.XXXXXX")
        trap 'rm -rf "$making"' EXIT
        trap 'exit 130' INT TERM HUP
        # Who writes into it holds the lock's file no longer: a daemon would hold it for ever.
        fill_root "$version" "$making" 9>&- || exit 1
        mv -T "$making" "$roots/$version" || exit 1
    fi
    printf '%s\n' "$roots/$version/rabbitmq-server"
)

# Makes a root, and the scripts that enter it, in the directory MAKING.
fill_root() {
    local version=$1 making=$2 suite mirror scripts script log keys=()
    suite=$(suite_of "$version")
    log=$making/log
    mirror=$(mirror_with "$suite" "$making") || return 1
    read -r -a keys <<<"$(keys_option "$making/InRelease" "$suite")" || true
    [ ${#keys[@]} != 0 ] || return 1
    # A machine older than the release has no recipe of its name; all new ones are that of sid.
    scripts=/usr/share/debootstrap/scripts
    script=$scripts/$suite
    [ -e "$script" ] || script=$scripts/sid
    say "making a root file system of Debian $suite for RabbitMQ $version; about a minute"
    if ! debootstrap --variant=minbase --include=rabbitmq-server "${keys[@]}" \
        "$suite" "$making/root" "$mirror" "$script" >"$log" 2>&1 </dev/null; then
        say "error: debootstrap could not make a root file system of Debian $suite; its last words:"
        tail -n 8 "$log" >&2
        return 1
    fi
    rm -rf "$making/root/var/cache/apt/archives" "$making/root/var/lib/apt/lists" "$making/InRelease"
    # Without its own name for the loopback, 4.3 waits for ever while it boots.
    printf '127.0.0.1 localhost\n' >"$making/root/etc/hosts"
    enter "$version" "$making" rabbitmq-server rabbitmqctl || return 1
    chmod 755 "$making"
}

# Writes a script for each program, which enters the root; and refuses another version than the
# one that was asked for.
enter() {
    local version=$1 making=$2 name lib found=
    for lib in "$making/root/usr/lib/rabbitmq/lib/rabbitmq_server-"*; do
        found=${lib##*rabbitmq_server-}
    done
    case $found in
        "$version".*) ;;
        *)
            say "error: Debian $(suite_of "$version") has RabbitMQ $found now, and $version no more"
            return 1
            ;;
    esac
    shift 2
    for name in "$@"; do
        cat >"$making/$name" <<END
#!/bin/sh
# $name of RabbitMQ $found in a Debian of its own. Of the machine it sees HOME, at the same
# place, and the network. Its own files it can only read.
root=\${0%/*}/root
exec bwrap --ro-bind "\$root/usr" /usr --ro-bind "\$root/etc" /etc \\
    --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib \\
    --symlink usr/lib64 /lib64 --dev /dev --proc /proc --dir /tmp --dir /var/lib \\
    --bind "\$HOME" "\$HOME" --chdir "\$HOME" -- /usr/lib/rabbitmq/bin/$name "\$@"
END
        chmod 755 "$making/$name"
    done
}

# The first Debian mirror among the machine's package sources that has the release; its signed
# list of contents becomes MAKING/InRelease.
mirror_with() {
    local suite=$1 list=$2/InRelease uri tried=
    while read -r uri; do
        uri=${uri%/}
        case $uri in http://* | https://* | file:/*) ;; *) continue ;; esac
        case " $tried " in *" $uri "*) continue ;; esac
        tried="$tried $uri"
        fetch "$uri/dists/$suite/InRelease" "$list" || continue
        # Others have releases of the same name: security updates, packages beside Debian's.
        if grep -qx "Codename: $suite" "$list" && grep -qx 'Label: Debian' "$list"; then
            printf '%s\n' "$uri"
            return 0
        fi
    done < <(mirrors)
    say "error: none of this machine's package sources is a Debian mirror with the release $suite"
    say "  tried:${tried:- none}"
    say "  RMQ_SCENARIO_MIRROR=URL names one"
    return 1
}

mirrors() {
    if [ -n "${RMQ_SCENARIO_MIRROR:-}" ]; then
        printf '%s\n' "$RMQ_SCENARIO_MIRROR"
    elif command -v apt-get >/dev/null; then
        # shellcheck disable=SC2016
        apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null
    fi
}

# By apt's own means, which know its proxies.
fetch() {
    local helper=/usr/lib/apt/apt-helper
    rm -f "$2"
    if [ -x "$helper" ]; then
        "$helper" download-file "$1" "$2" >/dev/null 2>&1
    else
        wget -q -O "$2" "$1"
    fi
}

debian_keys=/usr/share/keyrings/debian-archive-keyring.gpg

# The option by which debootstrap verifies what it loads. Going without needs to be asked for:
# the packages' scripts run as root.
keys_option() {
    if [ -e "$debian_keys" ] && gpgv --quiet --ignore-time-conflict --keyring "$debian_keys" \
        "$1" >/dev/null 2>&1; then
        printf '%s\n' "--keyring=$debian_keys"
    elif [ "${RMQ_SCENARIO_UNSIGNED:-}" = 1 ]; then
        say "warning: nobody vouches for the packages of Debian $2: their signature is not verified"
        printf '%s\n' --no-check-gpg
    else
        say "error: the signature of Debian $2 cannot be verified with $debian_keys"
        say "  install or renew the package debian-archive-keyring"
        say "  or, if you trust the mirror and the way to it: RMQ_SCENARIO_UNSIGNED=1"
        return 1
    fi
}
