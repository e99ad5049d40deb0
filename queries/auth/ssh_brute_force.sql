-- Addresses that fail to log in by SSH at least five times within five minutes.
--
-- Reads lines of OpenSSH's log as syslog writes them. They have no year: 2015 is taken, in UTC.
--   rhumb run --load sshd_log=/var/log/auth.log queries/auth/ssh_brute_force.sql

CREATE STREAM sshd_log (
    line text,
    ts   timestamptz AS (to_timestamp('2015 ' || substring(line, 1, 15), 'YYYY Mon DD HH24:MI:SS')),
    WATERMARK FOR ts AS ts - INTERVAL '10 seconds'
) WITH (format = 'text');

-- One row for each line about a failed password. The user's name is whatever stands between "for" and the last "from":
-- attackers choose it, and it may be empty, begin with a space or contain "from". A line "message repeated N times: [ ... ]"
-- stands for N failures.
CREATE VIEW ssh_failure AS
SELECT ts,
       substring(line, 'from ([0-9a-fA-F.:]+) port [0-9]+ ssh2')::inet                            AS src_ip,
       substring(line, 'Failed password for (?:invalid user )?(.*) from [0-9a-fA-F.:]+ port')     AS username,
       COALESCE(substring(line, 'message repeated ([0-9]+) times: \[ Failed password')::bigint, 1) AS failures
FROM   sshd_log
WHERE  line LIKE '%Failed password for %';

CREATE STREAM ssh_brute_force AS
SELECT src_ip AS ip, sum(failures) AS attempts, count(DISTINCT username) AS users,
       min(ts) AS first_seen, max(ts) AS last_seen, window_start, window_end
FROM   TUMBLE(ssh_failure, ts, INTERVAL '5 minutes')
GROUP  BY src_ip, window_start, window_end
HAVING sum(failures) >= 5;

SELECT ip, attempts, users, first_seen, last_seen
FROM   ssh_brute_force
ORDER  BY first_seen, ip;
