# shellcheck shell=bash
# What scripts/install and scripts/services both need to know. Sourced, never run.
# shellcheck disable=SC2034

ELASTICSEARCH_VERSION=8.19.21
ELASTICSEARCH_SHA256=215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a
ELASTICSEARCH_URL=${SHOPD_MAVEN_URL:-https://repo1.maven.org/maven2}/org/elasticsearch/distribution/integ-test-zip/elasticsearch/$ELASTICSEARCH_VERSION/elasticsearch-$ELASTICSEARCH_VERSION.zip

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/shopd
ELASTICSEARCH_ZIP=$CACHE/elasticsearch-$ELASTICSEARCH_VERSION.zip

say() { printf '%s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# postgres_bin prints the directory of the newest PostgreSQL server of version 15 or later, nothing when there is none.
postgres_bin() {
  local dir
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
    local version=${dir#/usr/lib/postgresql/}
    version=${version%/bin}
    if [[ -x $dir/initdb && $version -ge 15 ]]; then
      printf '%s\n' "$dir"
      return
    fi
  done
}

# java_home prints the home of a Java 17 or later, nothing when there is none.
java_home() {
  local candidate version
  for candidate in "${JAVA_HOME:-}" /usr; do
    [[ -n $candidate && -x $candidate/bin/java ]] || continue
    version=$("$candidate/bin/java" -version 2>&1 | sed -n '1s/[^"]*"\([0-9]*\).*/\1/p')
    if [[ -n $version && $version -ge 17 ]]; then
      dirname "$(dirname "$(readlink -f "$candidate/bin/java")")"
      return
    fi
  done
}

rabbitmq_server() { printf '%s\n' /usr/lib/rabbitmq/bin/rabbitmq-server; }

# chromium_path prints the browser that the end-to-end tests drive, nothing when there is none.
chromium_path() {
  if [[ -n ${CHROMIUM_PATH:-} ]]; then
    printf '%s\n' "$CHROMIUM_PATH"
    return
  fi
  command -v chromium || command -v chromium-browser || command -v google-chrome || true
}

# node_major prints the major version of Node.js, 0 when there is none or npm is missing.
node_major() {
  if command -v node >/dev/null && command -v npm >/dev/null; then
    node --version | sed 's/^v\([0-9]*\).*/\1/'
  else
    say 0
  fi
}
