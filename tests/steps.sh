# shellcheck shell=bash
# Sourced by the shell checks in this folder. Each of them defines `work`, a temporary directory, and `show_state`, which prints what helps
# to explain a failure.

step() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  show_state >&2 || true
  exit 1
}

# wait_for SECONDS WHAT COMMAND...: repeats the command until it succeeds, and fails after that many seconds. WHAT completes "waited for".
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "waited in vain for: $what"
    sleep 0.5
  done
  echo "ok: $what"
}

# audit REPEATS LOG...: the logs are complete, because these checks collect them from the start and stop the services in order.
audit() { cargo run -q --locked --release -p audit -- --complete --max-repeats "$@"; }

# expect_proven REPEATS LOG...: the audit must prove that every acknowledged message was received, with at most that many repeats.
expect_proven() { audit "$@" || fail "the audit did not prove delivery"; }

# expect_no_proof_without_a_line REPEATS LOG...: the negative control of `expect_proven`. As soon as one line of a received message is
# missing, the audit must notice it. The line is removed from a copy, because the logs may still be written to.
expect_no_proof_without_a_line() {
  local copy longest line
  # shellcheck disable=SC2154 # The script that sources this file defines `work`.
  copy=$(mktemp -d -p "$work")
  cp "${@:2}" "$copy"
  longest=$(grep -cH '"message received"' "$copy"/*.log | sort -t: -k2n | tail -n 1 | cut -d: -f1)
  line=$(grep -n '"message received"' "$longest" | sed -n 50p | cut -d: -f1)
  [[ -n $line ]] || fail "no log has 50 received messages"
  sed -i "${line}d" "$longest"
  ! audit "$1" "$copy"/*.log >"$copy/report" || fail "the audit proved delivery although the line of a received message is missing"
  grep -o 'lines of instance [0-9a-f]* are missing: 1 ' "$copy/report" || fail "the audit failed, but not because of the missing line"
}
