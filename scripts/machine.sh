# shellcheck shell=bash
# Makes this machine ready: a Rust toolchain must be there, RabbitMQ is installed where that is
# possible without asking. To be sourced; says on standard error what it does.

say() {
    printf '%s\n' "$*" >&2
}

# Whether the program will find a server: the places are those of src/broker/node/locate.rs.
has_rabbitmq() {
    local place
    [ -n "${RMQ_SCENARIO_SERVER:-}" ] && return 0
    command -v rabbitmq-server >/dev/null && return 0
    for place in /usr/lib/rabbitmq/bin /usr/lib*/rabbitmq/lib/rabbitmq_server-*/sbin \
        /usr/sbin /opt/homebrew/sbin /opt/homebrew/opt/rabbitmq/sbin \
        /usr/local/sbin /usr/local/opt/rabbitmq/sbin \
        /home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin \
        /opt/rabbitmq*/sbin /usr/local/rabbitmq*/sbin /usr/local/lib/rabbitmq*/sbin; do
        [ -x "$place/rabbitmq-server" ] && return 0
    done
    return 1
}

# Runs a command as root, if that needs no question.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

may_be_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# Installs the packages named. RabbitMQ's starts a broker of its own, and starts it again at each
# boot. Nobody asked for either: the first is denied by the policy that Debian has for this, if
# the machine has none itself, the second is taken back. Only what this function installed is
# touched.
install_with_apt() (
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root apt-get update -qq >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@" >&2 &&
        case " $* " in
            *" rabbitmq-server "*)
                [ ! -d /run/systemd/system ] ||
                    as_root systemctl disable --quiet --now rabbitmq-server
                ;;
        esac
)

# The container engine that answers, the same that the program would take.
engine() {
    local name
    for name in ${RMQ_SCENARIO_ENGINE:-docker podman}; do
        if [ "$name" != none ] && command -v "$name" >/dev/null &&
            timeout 10 "$name" ps --quiet >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}

need_rabbitmq() {
    has_rabbitmq && return 0
    if command -v apt-get >/dev/null && may_be_root; then
        say "installing RabbitMQ with apt-get"
        install_with_apt rabbitmq-server || say "that failed"
    elif command -v brew >/dev/null; then
        say "installing RabbitMQ with brew"
        brew install rabbitmq >&2 || say "that failed"
    fi
    has_rabbitmq && return 0
    # The program then takes an image, and says so if it cannot be had.
    engine >/dev/null && return 0
    say "error: there is no RabbitMQ here, and it could not be installed without asking"
    say "  Debian, Ubuntu: sudo apt-get install rabbitmq-server"
    say "  Fedora:         sudo dnf install rabbitmq-server"
    say "  Arch:           sudo pacman -S rabbitmq"
    say "  macOS:          brew install rabbitmq"
    say "  elsewhere:      https://www.rabbitmq.com/docs/download, and RMQ_SCENARIO_SERVER=PATH"
    return 3
}

need_rust() {
    # rustup writes this file, and a shell that was open before does not know of it.
    # shellcheck source=/dev/null
    command -v cargo >/dev/null || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; }
    command -v cargo >/dev/null && return 0
    say "error: there is no Rust toolchain here; https://rustup.rs installs one"
    return 3
}

# A browser, for the tests of the page.
need_browser() {
    command -v chromedriver >/dev/null && return 0
    if command -v apt-get >/dev/null && may_be_root; then
        say "installing Chromium with apt-get"
        # Ubuntu's names differ, and its packages only fetch a snap.
        install_with_apt chromium chromium-driver || say "that failed"
    elif command -v brew >/dev/null; then
        say "installing Chromium with brew"
        brew install --cask chromium chromedriver >&2 || say "that failed"
    fi
    command -v chromedriver >/dev/null && return 0
    say "error: there is no Chromium with ChromeDriver here, and it could not be installed"
    say "  Debian: sudo apt-get install chromium chromium-driver"
    say "  Fedora: sudo dnf install chromium chromedriver"
    say "  macOS:  brew install --cask chromium chromedriver"
    return 3
}

# Everything that building and running need.
make_ready() {
    need_rust && need_rabbitmq
}
