# shellcheck shell=bash
# Sourced by start.sh and init.sh: the accounts' passwords, from the secrets of docker-compose.yml.

# Prints the password in a secret, without the end of its line (LF or CRLF).
password() {
  local secret=/run/secrets/$1 password
  if [[ ! -r $secret ]]; then
    echo "cannot read $secret: its file on the host must be readable by user $(id -u)" >&2
    return 1
  fi
  password=$(tr -d '\r' <"$secret")
  # What needs no quoting in a JAAS configuration and in a properties file.
  if [[ ! $password =~ ^[A-Za-z0-9._~+/=-]+$ ]]; then
    echo "$secret must hold one line of letters, digits and . _ ~ + / = -" >&2
    return 1
  fi
  printf %s "$password"
}
