# shellcheck shell=bash
# Sourced by deploy/compose/evidence.sh and deploy/kubernetes/evidence.sh, which keep the logs of the producers and replicas for
# `audit`. Each life of a container (from the start of its process to the exit of that process) gets a file of its own:
#
#   DIRECTORY/NAME.ID.LIFE.log
#
# NAME is the container or pod, ID distinguishes it from a later one with the same name, and LIFE counts its starts from 1.

directory=
# The process that reports starting containers. The scripts set it before they read from that process.
watcher=

# use_directory DIRECTORY: creates the directory for the evidence, and refuses one that already has logs in it. The audit would read
# the old logs too, and could take a message that both sets of logs contain for one that was received twice.
use_directory() {
  directory=$1
  mkdir -p "$directory"
  if compgen -G "$directory/*.log" >/dev/null; then
    echo "$directory already contains logs: choose another directory, or remove them" >&2
    exit 64
  fi
}

# log_file NAME ID LIFE: prints the name of the file.
log_file() { echo "$directory/$1.$2.$3.log"; }

# follow_into FILE COMMAND...: writes the output of the command to the file, in the background. Does nothing if the file exists, because
# that life is then being followed already.
follow_into() {
  local file=$1
  [[ ! -e $file ]] || return 0
  "${@:2}" >"$file" 2>&1 &
}

# Ends the script. The pause lets lines that were just written reach their files before the followers are stopped.
finish() {
  trap - INT TERM
  [[ -z $watcher ]] || kill "$watcher" 2>/dev/null || true
  sleep 1
  # shellcheck disable=SC2046 # One word for each process.
  kill $(jobs -pr) 2>/dev/null || true
  wait
  exit 0
}
trap finish INT TERM
