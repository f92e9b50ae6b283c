# shellcheck shell=bash
# Spark with Java and the JDBC drivers, for docs/spark.md. The tests start it; nothing is a server.

readonly PYSPARK_VERSION=4.3.0
# Debian has no driver of MySQL's own, and PyPI has it only inside of another package, of which
# nothing else is used. The checksum is that of the jar in Maven Central.
readonly CONNECTOR_J=mysql-connector-j-8.0.33.jar CONNECTOR_J_PACKAGE=wbjdbc==2.4.0
readonly CONNECTOR_J_SHA256=e2a3b2fc726a1ac64e998585db86b30fa8bf3f706195b78bb77c5f99bf877bd9

# Exports what the tests of Spark need: SPARK_PYTHON, a Python with PySpark; SPARK_JAVA_HOME; and
# SPARK_JARS, a folder with the JDBC drivers. Java and the drivers may be the user's own.
get_spark() {
  local folder=$CACHE/spark-$PYSPARK_VERSION
  export SPARK_PYTHON=$folder/bin/python SPARK_JAVA_HOME=${SPARK_JAVA_HOME:-} SPARK_JARS=${SPARK_JARS:-}
  if [ ! -e "$folder/complete" ]; then
    note "installing PySpark (kept in $folder)"
    make_python "$folder" "pyspark==$PYSPARK_VERSION"
  fi
  if [ -n "$SPARK_JAVA_HOME" ] && [ -n "$SPARK_JARS" ]; then return; fi
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    fail "cannot get Java and the JDBC drivers: this is not Debian or Ubuntu" \
      "set SPARK_JAVA_HOME to a Java 17 or later, and SPARK_JARS to a folder with postgresql.jar, mariadb-java-client.jar and $CONNECTOR_J"
  fi
  check_distribution
  fetch_tree spark
  SPARK_JAVA_HOME=$(echo "$(tree spark)"/usr/lib/jvm/java-[1-9][0-9]-openjdk-*)
  SPARK_JARS=$(tree spark)/usr/share/java
}

fetch_spark() {
  # Without a window, Java needs no library of these packages. The drivers' names begin with `lib`, too.
  unpack_packages "$1" "$2" 'lib[^mp].*|libm[^a].*|libp[^o].*' default-jre-headless libpostgresql-jdbc-java libmariadb-java
  relink "$2"
  get_connector_j "$1" "$2/usr/share/java"
}

# relink ROOT: makes the absolute links of packages, such as those of Java to its settings in /etc,
# lead to the same place below ROOT.
relink() {
  local link
  find "$1" -type l -lname '/*' | while IFS= read -r link; do
    ln -sfn "$(realpath --no-symlinks --relative-to="${link%/*}" "$1$(readlink "$link")")" "$link"
  done
}

# get_connector_j STATE DEST: puts MySQL's own driver into DEST.
get_connector_j() {
  "$SPARK_PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$1/wheel" "$CONNECTOR_J_PACKAGE" >&2 || fail "cannot download $CONNECTOR_J_PACKAGE, which has $CONNECTOR_J"
  "$SPARK_PYTHON" -m zipfile -e "$1"/wheel/*.whl "$1/wheel"
  mv "$1"/wheel/wbjdbc/resources/maven/mysql/"$CONNECTOR_J" "$2"
  echo "$CONNECTOR_J_SHA256  $2/$CONNECTOR_J" | sha256sum --check --quiet >&2 ||
    fail "$CONNECTOR_J is not the one of Maven Central"
}
