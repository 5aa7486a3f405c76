package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"time"

	"shopd/internal/rig"
)

// cutter is a way to PostgreSQL that reads along. It counts the statements that write, and at the one it is armed for it
// lets the process on the other side be killed: before the statement leaves, or when it has been done and nobody knows.
type cutter struct {
	upstream string
	listener net.Listener
	open     sync.WaitGroup

	mu    sync.Mutex
	left  int // writes until the cut; 0 for none
	after bool
	kill  func()
	count int
	// idle are the statements that the process writes when nobody asks for anything; they are not counted. While it is
	// learning, all are.
	idle     map[string]bool
	learning bool
	cut      string // the statement at which it was cut
	fired    chan struct{}
}

func newCutter(ctx context.Context, upstream string) (*cutter, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cutter{upstream: upstream, listener: l}
	c.open.Go(c.accept)
	return c, nil
}

func (c *cutter) addr() string { return c.listener.Addr().String() }

func (c *cutter) close() error { return c.listener.Close() }

// learn watches for d what a process writes that nobody uses.
func (c *cutter) learn(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.idle, c.learning = map[string]bool{}, true
	c.mu.Unlock()
	err := rig.Pause(ctx, d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learning = false
	return err
}

// arm lets kill be called at the n-th write from now on. It returns a channel that is closed when it was.
func (c *cutter) arm(n int, after bool, kill func()) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.after, c.kill, c.count, c.cut, c.fired = n, after, kill, 0, "", make(chan struct{})
	return c.fired
}

// disarm returns how many writes there were since arm.
func (c *cutter) disarm() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = 0
	return c.count
}

// where is the statement at which it was cut.
func (c *cutter) where() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// wrote counts a write and reports whether it is the one.
func (c *cutter) wrote(sql string) (now, after bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.learning {
		c.idle[sql] = true
	}
	if c.idle[sql] {
		return false, false
	}
	c.count++
	if c.left == 0 {
		return false, false
	}
	if c.left--; c.left > 0 {
		return false, false
	}
	c.cut = brief(sql)
	return !c.after, c.after
}

func (c *cutter) fire() {
	c.mu.Lock()
	kill, fired := c.kill, c.fired
	c.mu.Unlock()
	kill()
	close(fired)
}

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.upstream) //nolint:noctx // loopback
		if err != nil {
			_ = client.Close() // nobody is there: the same as for a caller without us
			continue
		}
		p := &passage{cutter: c, client: client, server: server, statements: map[string]string{}}
		go p.toServer()
		go p.toClient()
	}
}

// passage is one connection through the cutter.
type passage struct {
	*cutter
	client, server net.Conn
	statements     map[string]string // SQL by the name it was prepared under
	bound          string            // SQL of the last portal
	role           string
	mu             sync.Mutex
	last           bool // the answer that comes now must not arrive
}

func (p *passage) end() {
	_ = p.client.Close() // either side may be gone
	_ = p.server.Close()
}

const cancelRequest = 80877102

func (p *passage) toServer() {
	defer p.end()
	startup, err := frame(p.client, false)
	if err != nil {
		return
	}
	if _, err := p.server.Write(startup); err != nil {
		return
	}
	if binary.BigEndian.Uint32(startup[4:]) == cancelRequest {
		return
	}
	p.role = parameter(startup[8:], "role")
	for {
		message, err := frame(p.client, true)
		if err != nil {
			return
		}
		if sql, executes := p.read(message); executes && p.counts(sql) {
			now, after := p.wrote(sql)
			if now {
				p.fire()
				return
			}
			if after {
				p.mu.Lock()
				p.last = true
				p.mu.Unlock()
			}
		}
		if _, err := p.server.Write(message); err != nil {
			return
		}
	}
}

func (p *passage) toClient() {
	defer p.end()
	for {
		message, err := frame(p.server, true)
		if err != nil {
			return
		}
		const readyForQuery = 'Z'
		if message[0] == readyForQuery {
			p.mu.Lock()
			last := p.last
			p.mu.Unlock()
			if last {
				p.fire()
				return
			}
		}
		if _, err := p.client.Write(message); err != nil {
			return
		}
	}
}

// read follows what a message prepares and binds; it returns the SQL of one that executes.
func (p *passage) read(message []byte) (sql string, executes bool) {
	body := message[5:]
	switch message[0] {
	case 'P':
		name, rest := text(body)
		p.statements[name], _ = text(rest)
	case 'B':
		_, rest := text(body)
		name, _ := text(rest)
		p.bound = p.statements[name]
	case 'E':
		return p.bound, true
	case 'Q':
		sql, _ := text(body)
		return sql, true
	}
	return "", false
}

// writing finds statements that change something; a transaction's end is what makes its changes be.
var writing = regexp.MustCompile(`(?i)\b(insert into|update|delete from|commit)\b`)

// counts reports whether the statement writes something that is the shop's own.
func (p *passage) counts(sql string) bool { return p.role != "shopd_jobs" && writing.MatchString(sql) }

// frame reads one message; the first one of a connection has no type.
func frame(r io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 4, 5)
	if typed {
		head = head[:5] //nolint:gosec // it was made so long
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[len(head)-4:])
	const longest = 64 << 20
	if length < 4 || length > longest {
		return nil, errors.New("not a message of PostgreSQL")
	}
	message := make([]byte, len(head)+int(length)-4)
	copy(message, head)
	_, err := io.ReadFull(r, message[len(head):])
	return message, err
}

// text reads a string that ends with a zero.
func text(b []byte) (string, []byte) {
	s, rest, _ := bytes.Cut(b, []byte{0})
	return string(s), rest
}

// parameter finds one of a startup message.
func parameter(b []byte, name string) string {
	for len(b) > 1 {
		var key, value string
		key, b = text(b)
		value, b = text(b)
		if key == name {
			return value
		}
	}
	return ""
}

var (
	space  = regexp.MustCompile(`\s+`)
	tables = regexp.MustCompile(`(?i)\b(?:insert into|update|delete from) ([a-z_]+\.[a-z_]+)`)
)

// brief names a statement by what it writes.
func brief(sql string) string {
	var names []string
	for _, m := range tables.FindAllStringSubmatch(sql, -1) {
		names = append(names, m[1])
	}
	if len(names) > 0 {
		return strings.Join(names, ", ")
	}
	s := space.ReplaceAllString(strings.TrimSpace(sql), " ")
	return fmt.Sprintf("%.60s", s)
}
