# shellcheck shell=bash
# Sourced by the checks beside it, which define `work`, a directory of their own, and `evidence_of_failure`: what to show when
# something fails.

step() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  evidence_of_failure >&2 || true
  exit 1
}

# until_so SECONDS WHAT COMMAND...: waits for the command to succeed.
until_so() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || fail "waited in vain for: $what"
    sleep 0.5
  done
  echo "seen: $what"
}

# judge REPEATS LOG...: the verdict of `audit`, which must be that all is well.
audit() { cargo run -q --locked --release -p audit -- --max-repeats "$@"; }
judge() { audit "$@" || fail "the audit"; }

# The same evidence without one line must not do: otherwise the verdict would be worth nothing. What is cut is a copy, since the
# logs may still be written to.
judge_without_a_line() {
  local copy longest line
  # shellcheck disable=SC2154 # Theirs.
  copy=$(mktemp -d -p "$work")
  cp "${@:2}" "$copy"
  longest=$(grep -cH '"message received"' "$copy"/*.log | sort -t: -k2n | tail -n 1 | cut -d: -f1)
  line=$(grep -n '"message received"' "$longest" | sed -n 50p | cut -d: -f1)
  [[ -n $line ]] || fail "no log has 50 messages"
  sed -i "${line}d" "$longest"
  ! audit "$1" "$copy"/*.log >"$copy/report" || fail "the audit did not miss a message that is not there"
  grep -x "verdict: VIOLATED.*" "$copy/report" || fail "the audit has another reason"
}
