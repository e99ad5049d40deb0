# The demonstration: `make demo` calls it. It generates two logs, runs the two saved queries over them, and says how to go on.
set -eu
here=$(dirname "$0")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo "Generating 5,000 lines of an SSH server's log and 20,000 DNS events (seed $SEED) ..."
"$BIN" generate sshd --events 5000 --seed "$SEED" >"$dir/sshd.log"
"$BIN" generate dns --events 20000 --seed "$SEED" >"$dir/dns.json"

echo
echo "Who tries passwords? Addresses with at least five failures within five minutes (queries/auth/ssh_brute_force.sql):"
"$BIN" run --load "sshd_log=$dir/sshd.log" "$here/auth/ssh_brute_force.sql"

echo
echo "Which addresses serve the most domains? (queries/correlation/ip_domain.sql):"
"$BIN" run --load "dns=$dir/dns.json" "$here/correlation/ip_domain.sql"

cat <<END

The same over your own logs:
  $BIN run --data ./rhumb-data --load sshd_log=/var/log/auth.log $here/auth/ssh_brute_force.sql
  $BIN run --data ./rhumb-data --load dns=dns.log.json.gz $here/correlation/ip_domain.sql
Run again on the same directory, it goes on where it was. README.md says more.
END
