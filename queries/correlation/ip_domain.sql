-- Which addresses a domain resolves to, and which domains an address serves: the two ways of the correlation of IPs and domains.
--
-- Reads Zeek's dns.log as JSON.
--   rhumb run --load dns=dns.json.gz queries/correlation/ip_domain.sql

CREATE STREAM dns (
    ts      timestamptz NOT NULL,
    client  inet PATH '$["id.orig_h"]',
    query   text ENTITY domain,
    answers text[],
    WATERMARK FOR ts AS ts - INTERVAL '672 seconds'
) WITH (format = 'json');

-- One row for each IPv4 address in an answer; the others are names (CNAME), IPv6 addresses and texts.
CREATE VIEW ip_domain AS
SELECT ts, query AS domain, answer::inet AS ip
FROM   dns, unnest(answers) AS a(answer)
WHERE  query IS NOT NULL
AND    answer ~ '^(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])$';

CREATE MATERIALIZED VIEW domain_ips AS
SELECT domain, array_agg(DISTINCT ip) AS ips, count(DISTINCT ip) AS addresses, count(*) AS answers,
       min(ts) AS first_seen, max(ts) AS last_seen
FROM   ip_domain
GROUP  BY domain;

CREATE MATERIALIZED VIEW ip_domains AS
SELECT ip, array_agg(DISTINCT domain) AS domains, count(DISTINCT domain) AS names, count(*) AS answers,
       min(ts) AS first_seen, max(ts) AS last_seen
FROM   ip_domain
GROUP  BY ip;

SELECT count(*) AS domains, sum(addresses) AS pairs FROM domain_ips;

SELECT count(*) AS addresses FROM ip_domains;

SELECT ip, names, answers, first_seen, last_seen
FROM   ip_domains
ORDER  BY names DESC, ip
LIMIT  5;
