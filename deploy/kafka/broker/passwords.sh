# shellcheck shell=bash
# Sourced by start.sh and init.sh: reads the passwords of the accounts from the secrets that docker-compose.yml mounts.

# password SECRET: prints the password in the secret, without its line ending (LF or CRLF).
password() {
  local secret=/run/secrets/$1 password
  if [[ ! -r $secret ]]; then
    echo "cannot read $secret: its file on the host must be readable by user $(id -u)" >&2
    return 1
  fi
  password=$(tr -d '\r' <"$secret")
  # Only characters that need no quoting in a JAAS configuration and in a properties file.
  if [[ ! $password =~ ^[A-Za-z0-9._~+/=-]+$ ]]; then
    echo "$secret must contain one line of letters, digits and . _ ~ + / = -" >&2
    return 1
  fi
  printf %s "$password"
}
