package generate

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// sshd writes what OpenSSH and PAM write through syslog, in the forms of loghub's OpenSSH log (traditional time stamps, without a
// year). Connections begin at random times; each brings its lines with it, and the timeline puts them in order:
//
//	users      log in from 10.0.0.0/8, now and then after a mistyped password
//	guessers   try a password or two from 198.51.100.0/24 and leave
//	attackers  203.0.113.0/24 and 2001:db8::/32; a burst is 20 to 300 attempts, seconds apart; one in eight gets in at the end
//	scanners   connect and say nothing
type sshd struct {
	rng     *rand.Rand
	lines   timeline
	arrival int64 // when the next connection or burst begins
	pid     int
}

// sshdStart is the time of the first event; the year never shows.
var sshdStart = time.Date(2024, 12, 10, 6, 55, 0, 0, time.UTC).UnixMicro()

const second = int64(1_000_000)

func newSSHD(seed uint64) *sshd {
	return &sshd{rng: rand.New(rand.NewPCG(seed, 0x73736864)), arrival: sshdStart, pid: 24200}
}

// Next appends one line.
func (g *sshd) Next(dst []byte) []byte {
	for {
		if at, ok := g.lines.first(); ok && at < g.arrival {
			return append(dst, g.lines.take().text...)
		}
		g.begin(g.arrival)
		g.arrival += int64(g.rng.ExpFloat64() * 6 * float64(second))
	}
}

// begin starts one connection, or one attack of many.
func (g *sshd) begin(at int64) {
	switch p := g.rng.IntN(1000); {
	case p < 500:
		g.userSession(at)
	case p < 900:
		g.guess(at)
	case p < 970:
		g.scan(at)
	case p < 990:
		g.burst(at)
	default:
		g.repeated(at, g.attacker())
	}
}

var (
	sshdUsers    = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "backup", "deploy"}
	sshdAccounts = []string{"root", "root", "root", "root", "mysql", "git", "ftp", "uucp", "sshd"} // exist on the server
	sshdInvalid  = []string{"admin", "test", "oracle", "webmaster", "guest", "support", "ubnt", "pi", "user", "1234", "postgres",
		"nagios", " 0101", "test user", "John Smith", "admin admin", "0", "matlab", "boris", "jenkins"}
)

// pick draws one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (g *sshd) attacker() string {
	if g.rng.IntN(10) == 0 {
		return fmt.Sprintf("2001:db8:%x::%x", 1+g.rng.IntN(0xffff), 1+g.rng.IntN(0xffff))
	}
	return fmt.Sprintf("203.0.113.%d", 1+g.rng.IntN(254))
}

func (g *sshd) port() int { return 1024 + g.rng.IntN(64512) }

// conn is one connection: a process of the server, and a clock that its lines move on.
type conn struct {
	g    *sshd
	at   int64
	pid  int
	addr string
	port int
}

func (g *sshd) connect(at int64, addr string) *conn {
	g.pid++
	if g.pid > 32767 {
		g.pid = 300
	}
	return &conn{g: g, at: at, pid: g.pid, addr: addr, port: g.port()}
}

// log adds a line.
func (c *conn) log(format string, args ...any) {
	stamp := time.UnixMicro(c.at).UTC().Format("Jan _2 15:04:05")
	c.g.lines.add(c.at, fmt.Appendf(nil, "%s LabSZ sshd[%d]: "+format, append([]any{stamp, c.pid}, args...)...))
}

// wait lets up to max seconds pass, and at least one.
func (c *conn) wait(max int64) { c.at += second + c.g.rng.Int64N(max*second) }

func (g *sshd) userSession(at int64) {
	user := pick(g.rng, sshdUsers)
	c := g.connect(at, fmt.Sprintf("10.0.%d.%d", g.rng.IntN(4), 1+g.rng.IntN(254)))
	if g.rng.IntN(12) == 0 {
		c.fail(user, false)
	}
	c.accept(user)
}

func (c *conn) accept(user string) {
	c.log("Accepted password for %s from %s port %d ssh2", user, c.addr, c.port)
	c.log("pam_unix(sshd:session): session opened for user %s by (uid=0)", user)
	c.at += int64(c.g.rng.ExpFloat64() * 900 * float64(second))
	c.log("Received disconnect from %s: 11: disconnected by user", c.addr)
	c.log("pam_unix(sshd:session): session closed for user %s", user)
}

// fail logs one failed password.
func (c *conn) fail(user string, invalid bool) {
	if invalid {
		c.log("Invalid user %s from %s", user, c.addr)
		c.log("input_userauth_request: invalid user %s [preauth]", user)
		c.log("pam_unix(sshd:auth): check pass; user unknown")
		c.log("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s ", c.addr)
		c.wait(3)
		c.log("Failed password for invalid user %s from %s port %d ssh2", user, c.addr, c.port)
		return
	}
	c.log("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", c.addr, user)
	c.wait(3)
	c.log("Failed password for %s from %s port %d ssh2", user, c.addr, c.port)
}

// leave ends a connection that never logged in.
func (c *conn) leave() {
	switch c.g.rng.IntN(8) {
	case 0:
		c.log("Connection closed by %s [preauth]", c.addr)
	case 1:
		c.log("error: Received disconnect from %s: 14: No more user authentication methods available. [preauth]", c.addr)
	default:
		c.log("Received disconnect from %s: 11: Bye Bye [preauth]", c.addr)
	}
}

// attempt is a connection with one guess.
func (g *sshd) attempt(at int64, addr string, users []string, invalid bool) {
	c := g.connect(at, addr)
	c.fail(pick(g.rng, users), invalid)
	c.leave()
}

func (g *sshd) guess(at int64) {
	addr := fmt.Sprintf("198.51.100.%d", 1+g.rng.IntN(254))
	for range 1 + g.rng.IntN(2) {
		g.attempt(at, addr, sshdInvalid, true)
		at += 30*second + g.rng.Int64N(300*second)
	}
}

func (g *sshd) scan(at int64) {
	c := g.connect(at, fmt.Sprintf("198.51.100.%d", 1+g.rng.IntN(254)))
	switch g.rng.IntN(3) {
	case 0:
		c.log("Did not receive identification string from %s", c.addr)
	case 1:
		c.log("Connection closed by %s [preauth]", c.addr)
	default:
		c.log("reverse mapping checking getaddrinfo for host-%d.isp.example [%s] failed - POSSIBLE BREAK-IN ATTEMPT!",
			g.rng.IntN(1000), c.addr)
		c.log("fatal: Write failed: Connection reset by peer [preauth]")
	}
}

// burst is a brute-force attack from one address: the accounts of the server, or names off a list.
func (g *sshd) burst(at int64) {
	addr := g.attacker()
	invalid := g.rng.IntN(3) == 0
	users := sshdAccounts
	if invalid {
		users = sshdInvalid
	}
	pace := (1 + g.rng.Int64N(5)) * second
	for range 20 + g.rng.IntN(281) {
		if g.rng.IntN(40) == 0 {
			g.repeated(at, addr)
		} else {
			g.attempt(at, addr, users, invalid)
		}
		at += second/4 + g.rng.Int64N(2*pace)
	}
	if g.rng.IntN(8) == 0 {
		g.connect(at+2*second, addr).accept(pick(g.rng, sshdUsers))
	}
}

// repeated is a connection with several guesses, which syslog folds into one line.
func (g *sshd) repeated(at int64, addr string) {
	c := g.connect(at, addr)
	c.fail("root", false)
	c.wait(10)
	c.log("message repeated 5 times: [ Failed password for root from %s port %d ssh2]", c.addr, c.port)
	c.log("Disconnecting: Too many authentication failures for root [preauth]")
	c.log("PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=root", c.addr)
	c.log("PAM service(sshd) ignoring max retries; 6 > 3")
}
