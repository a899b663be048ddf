#!/usr/bin/env bash
# Makes an HTML report of a real run in which a replica is killed, and pictures of it if chromium is installed.
#
#   bash docs/report.sh [DIRECTORY]
#
# The logs, report.html, report.json and the pictures are written to DIRECTORY (default: target/report). Needs Rust as the sandbox does,
# and takes half a minute when the sandbox is built. The pictures are of a wide and of a narrow window, light and dark.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:-target/report}
mkdir -p "$directory"
rm -f "$directory"/*.log
cargo build --locked -p sandbox -p audit
binaries=${CARGO_TARGET_DIR:-target}/debug

started=()
# shellcheck disable=SC2317 # called by the trap
stop_all() {
  [[ ${#started[@]} == 0 ]] || kill "${started[@]}" 2>/dev/null || true
  wait || true
}
trap stop_all EXIT

"$binaries/sandbox" --broker-only --partitions 6 >"$directory/broker.txt" &
started+=($!)
for _ in {1..100}; do
  ! grep -q 'consumer$' "$directory/broker.txt" || break
  sleep 0.1
done
eval "$(grep '^export ' "$directory/broker.txt")"

replica() {
  LOG_FORMAT=json "$binaries/sandbox" consumer >"$directory/consumer-$1.log" 2>&1 &
  started+=($!)
}
replica 1
replica 2
victim=$!
PRODUCER_RATE_PER_SEC=40 LOG_FORMAT=json "$binaries/sandbox" producer >"$directory/producer.log" 2>&1 &
producer=$!
started+=("$producer")
sleep 8
kill -KILL "$victim"
sleep 3
replica 3
sleep 12
kill "$producer"
wait "$producer" || true
sleep 2
kill "${started[@]:1}" 2>/dev/null || true
wait "${started[@]:1}" 2>/dev/null || true

for format in html json; do
  status=0
  "$binaries/audit" --complete --max-repeats 100 --format "$format" "$directory"/*.log >"$directory/report.$format" || status=$?
done
echo "audit: exit code $status, $directory/report.html"

browser=$(command -v chromium || command -v google-chrome || true)
if [[ -z $browser ]]; then
  echo "chromium is not installed: no pictures"
  exit 0
fi
# A headless browser has no window narrower than 500 pixels, so the narrow picture is of a frame.
page=$(realpath "$directory/report.html")
printf '<body style="margin:0"><iframe src="file://%s" style="width:390px;height:5200px;border:0"></iframe>' "$page" >"$directory/narrow.html"
for scheme in light dark; do
  flags=(--headless=new --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files)
  [[ $scheme == light ]] || flags+=(--blink-settings=preferredColorScheme=0)
  [[ $scheme == dark ]] || flags+=(--blink-settings=preferredColorScheme=1)
  timeout 60 "$browser" "${flags[@]}" --window-size=1280,2600 --screenshot="$directory/wide-$scheme.png" "file://$page" 2>/dev/null
  timeout 60 "$browser" "${flags[@]}" --window-size=500,5200 --screenshot="$directory/narrow-$scheme.png" \
    "file://$(realpath "$directory/narrow.html")" 2>/dev/null
done
echo "pictures: $directory/{wide,narrow}-{light,dark}.png"
