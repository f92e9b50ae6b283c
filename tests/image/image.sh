# shellcheck shell=bash
# Builds the container image of the Dockerfile and checks what it holds and does.
#
# Docker or Podman build and run it where one works, else the steps run in a chroot. Both have the
# same functions: NAME_works, build_with_NAME, NAME_files, NAME_user, run_with_NAME, remove_with_NAME.

# shellcheck source=tests/image/engine.sh
source tests/image/engine.sh
# shellcheck source=tests/image/chroot.sh
source tests/image/chroot.sh

# What the image holds: kind, mode, owner and path of everything.
readonly IMAGE_FILES='d 0755 0:0 /
d 0755 65532:65532 /data
d 0755 0:0 /etc
d 0755 0:0 /etc/ssl
d 0755 0:0 /etc/ssl/certs
f 0644 0:0 /etc/ssl/certs/ca-certificates.crt
d 1777 0:0 /tmp
d 0755 0:0 /usr
d 0755 0:0 /usr/local
d 0755 0:0 /usr/local/bin
f 0755 0:0 /usr/local/bin/cloudtrail2sql'
readonly IMAGE_USER=65532:65532
# Of another user than the image's, as `--user` names one.
readonly OTHER_USER=54321:54321
# What tests/sample holds.
readonly SAMPLE_OBJECTS=51 SAMPLE_ROWS=1234

# How the image is built and run: `engine` or `chroot`.
IMAGE_BY=
# A folder for what the checks write. The servers' folder is not for others.
IMAGE_FOLDER=
CHECKS=0

# Returns whether the image can be built on this machine, and says so if not.
can_build_image() {
  local tool
  for tool in curl openssl; do
    if ! command -v "$tool" >/dev/null; then
      note "the container image is not checked: no \`$tool\` on this machine"
      return 1
    fi
  done
  if engine_works; then return; fi
  # In a mount namespace of its own, so that nothing stays.
  if [ "$(id -u)" = 0 ] && unshare --mount bash -ec 'mount -t tmpfs tmpfs /tmp; cd /tmp; mkdir upper work all
    mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work all' 2>/dev/null; then return; fi
  note "the container image is not checked: no Docker or Podman runs here, and no chroot can be made"
  return 1
}

# Builds the image, runs all checks, and prints how many there were.
test_image() {
  local started=$SECONDS
  IMAGE_FOLDER=$(mktemp -d /tmp/cloudtrail2sql-image.XXXXXX)
  chmod 755 "$IMAGE_FOLDER"
  if engine_works; then
    IMAGE_BY=engine
  else
    chroot_works
    IMAGE_BY=chroot
  fi
  "build_with_$IMAGE_BY"
  note "the image was built by $IMAGE_BY in $((SECONDS - started)) s"
  check_files
  check_version
  check_sqlite
  check_temporary_files
  check_postgres
  check_s3
  check_certificates
  echo "image: $CHECKS passed, 0 failed"
}

remove_image() {
  # In an EXIT trap a plain `return` passes on the code before the trap.
  if [ -n "$IMAGE_BY" ]; then "remove_with_$IMAGE_BY"; fi
  if [ -n "$IMAGE_FOLDER" ]; then rm -rf "$IMAGE_FOLDER"; fi
  IMAGE_BY='' IMAGE_FOLDER=''
}

# in_image [OPTION…] -- ARGS…: runs the program in a new container of the image, with a root that cannot
# be written. Options are `--volume HOST:FOLDER[:ro]`, `--env NAME=VALUE` and `--user USER:GROUP`.
in_image() { "run_with_$IMAGE_BY" "$@"; }

# passed WHAT: counts a check.
passed() {
  note "image: $1"
  CHECKS=$((CHECKS + 1))
}

# equal WHAT FOUND EXPECTED: fails unless both are the same.
equal() {
  if [ "$2" != "$3" ]; then fail "image: $1" "$(diff <(echo "$3") <(echo "$2"))"; fi
  passed "$1"
}

# folder_of USER NAME: prints a new folder that belongs to the user.
folder_of() {
  mkdir "$IMAGE_FOLDER/$2"
  chown "$1" "$IMAGE_FOLDER/$2"
  echo "$IMAGE_FOLDER/$2"
}

# rows_of FILE…: prints how many rows each summary in JSON counts, and how many objects were loaded before.
rows_of() { tr -d ' \n' <"$1" | sed 's/.*"already_loaded":{"objects":\([0-9]*\).*"rows":\([0-9]*\),.*/\2 rows, \1 objects before/'; }

check_files() {
  equal "the image holds the program, certificates and two folders, and no shell" \
    "$("${IMAGE_BY}_files")" "$IMAGE_FILES"
  equal "the image names a user without rights" "$("${IMAGE_BY}_user")" "$IMAGE_USER"
}

check_version() {
  equal "the version is that of Cargo.toml" "$(in_image -- --version)" \
    "cloudtrail2sql $(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
}

# import_twice NAME EXPECTED OPTION… -- ARGS…: runs an import two times.
import_twice() {
  local name=$1 expected=$2 summary=$IMAGE_FOLDER/summary.json
  shift 2
  in_image "$@" --quiet --output json >"$summary"
  equal "$name loads the sample" "$(rows_of "$summary")" "$expected rows, 0 objects before"
  in_image "$@" --quiet --output json >"$summary"
  equal "$name loads nothing again" "$(rows_of "$summary")" "0 rows, $SAMPLE_OBJECTS objects before"
}

# The folder that is mounted is written by the user whom `--user` names, and the answers are read from
# one that cannot be written.
check_sqlite() {
  local folder
  folder=$(folder_of "$OTHER_USER" sqlite)
  import_twice "a folder into SQLite" "$SAMPLE_ROWS" --volume "$folder:/data" \
    --volume "$PWD/tests/sample:/data/AWSLogs:ro" --user "$OTHER_USER" -- import AWSLogs
  equal "the database belongs to that user" "$(stat -c %u:%g "$folder/cloudtrail.db")" "$OTHER_USER"
  equal "a database that cannot be written is read" "$(in_image --volume "$folder:/data:ro" \
    --user "$OTHER_USER" -- query services --output csv --limit 1 | tail -n 1 | cut -d, -f1)" s3.amazonaws.com
}

# The sort of an index of this many rows does not fit into memory: SQLite writes temporary files.
check_temporary_files() {
  local folder copy
  folder=$(folder_of "$IMAGE_USER" many)
  for copy in {1..40}; do cp -R tests/sample "$folder/$copy"; done
  in_image --volume "$folder:/data" -- import --quiet --output json . >"$IMAGE_FOLDER/summary.json"
  equal "indexes larger than memory are sorted" "$(rows_of "$IMAGE_FOLDER/summary.json")" \
    "$((40 * SAMPLE_ROWS)) rows, 0 objects before"
}

# By name, so that a resolver is needed.
check_postgres() {
  import_twice "PostgreSQL at localhost" "$SAMPLE_ROWS" --volume "$PWD/tests/sample:/data/AWSLogs:ro" \
    --env "DATABASE_URL=${TEST_POSTGRES_URL/127.0.0.1/localhost}cloudtrail_image" -- import AWSLogs
}

check_s3() {
  local file folder bucket=$TEST_S3_URL/image-$RANDOM$RANDOM
  curl --silent --show-error --fail --output /dev/null --request PUT "$bucket"
  while read -r file; do
    curl --silent --show-error --fail --output /dev/null --upload-file "tests/sample/$file" "$bucket/$file"
  done < <(cd tests/sample && find . -type f -printf '%P\n')
  folder=$(folder_of "$IMAGE_USER" s3)
  import_twice "S3 at localhost" "$SAMPLE_ROWS" --volume "$folder:/data" --env AWS_ACCESS_KEY_ID=key \
    --env AWS_SECRET_ACCESS_KEY=secret -- \
    import --endpoint-url "${TEST_S3_URL/127.0.0.1/localhost}" "s3://${bucket##*/}/"
}

# The certificates of the image are used for S3: a server is refused until the certificate of its authority
# is mounted in their place.
check_certificates() {
  local port server found data folder=$IMAGE_FOLDER/tls
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  mkdir "$folder"
  openssl req -x509 "${key[@]}" -days 2 -subj /CN=authority -keyout "$folder/authority.key" \
    -out "$folder/authority.pem" 2>/dev/null
  openssl req -new "${key[@]}" -subj /CN=localhost -keyout "$folder/key.pem" -out "$folder/request.pem" 2>/dev/null
  openssl x509 -req -in "$folder/request.pem" -CA "$folder/authority.pem" -CAkey "$folder/authority.key" \
    -set_serial 1 -days 2 -extfile <(echo subjectAltName=DNS:localhost) -out "$folder/certificate.pem" 2>/dev/null
  pick_port tls
  port=${PORTS[tls]}
  # It is no S3 server, so that the import fails in any case.
  openssl s_server -accept "127.0.0.1:$port" -key "$folder/key.pem" -cert "$folder/certificate.pem" -www \
    </dev/null >/dev/null 2>&1 &
  server=$!
  until (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
  data=$(folder_of "$IMAGE_USER" tls-data)
  found=$(tls_error "$port" --volume "$data:/data")
  equal "a server of an unknown authority is refused" "$found" 'invalid peer certificate: UnknownIssuer'
  found=$(tls_error "$port" --volume "$data:/data" --volume "$folder/authority.pem:/etc/ssl/certs/ca-certificates.crt:ro")
  kill "$server"
  wait "$server" || true
  equal "a server is trusted whose authority is mounted" "$found" 'timed out'
}

# tls_error PORT OPTION…: prints why the import from the server fails.
tls_error() {
  local port=$1
  shift
  in_image "$@" -- import --endpoint-url "https://localhost:$port" --no-sign-request s3://trail/ 2>&1 |
    sed -n 's/^ *caused by: //p' || true
}
