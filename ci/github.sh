#!/usr/bin/env bash
# The one step of the action in action.yml: finds or builds the program, checks the files and runs
# them. The inputs come as IN_…, and none of them is ever read by the shell: words are parted at
# blanks and line ends, and patterns are left to the program.
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
program=${IN_BINARY:-}
if [ -z "$program" ]; then
    root=${RUNNER_TEMP:-$source/target}/rmq-scenario
    cargo install --quiet --locked --path "$source" --root "$root"
    program=$root/bin/rmq-scenario
fi
if ! "$program" --version; then
    echo "error: there is no rmq-scenario at $program; leave the input \`binary\` out to build it" >&2
    exit 3
fi

# `read` ends with a failure at the end of its input, having read everything.
read -r -d '' -a files <<<"${IN_FILES:-scenarios}" || true
read -r -d '' -a words <<<"${IN_ARGS:-}" || true
if [ -n "${IN_VERSION:-}" ] && [ -n "${IN_SERVER:-}" ]; then
    echo "error: the inputs \`version\` and \`server\` contradict each other: give one of them" >&2
    exit 2
elif [ -n "${IN_VERSION:-}" ]; then
    words+=(--server "docker:rabbitmq:$IN_VERSION-management")
elif [ -n "${IN_SERVER:-}" ]; then
    words+=(--server "$IN_SERVER")
fi
[ -z "${IN_JSON:-}" ] || words+=(--report "json=$IN_JSON")
[ -z "${IN_JUNIT:-}" ] || words+=(--report "junit=$IN_JUNIT")
[ -z "${IN_HTML:-}" ] || words+=(--report "html=$IN_HTML")

code=0
if [ "${IN_CHECK:-true}" != false ]; then
    "$program" check --deny warnings "${files[@]}" || code=$?
fi
if [ "$code" = 0 ]; then
    "$program" run "${words[@]}" "${files[@]}" || code=$?
fi
[ -z "${GITHUB_OUTPUT:-}" ] || echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
