package mail_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"shopd/internal/platform/jobs"
	"shopd/internal/platform/mail"
	"shopd/internal/platform/postgres"
	"shopd/internal/platform/testenv"
)

const from = "Luma <shop@example.com>"

var order = mail.Message{To: "Ada <ada@example.org>", Subject: "Order 1001 · thank you", Text: "Grüße, your order 1001", HTML: "<p>Grüße, <b>your order 1001</b></p>"}

func now() time.Time { return time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC) }

// server is a mail server that takes what it is given.
type server struct {
	url     string
	mu      sync.Mutex
	letters []string
	busy    bool // answers RCPT with a temporary error
}

func newServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{url: "smtp://" + l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.converse(conn) // ends with the client, or at the latest with its deadline
		}
	}()
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return s
}

func (s *server) converse(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return
	}
	fmt.Fprint(conn, "220 test\r\n")
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(strings.ToUpper(line)), " ")
		answer := "250 ok"
		switch verb {
		case "RCPT":
			if s.isBusy() {
				answer = "451 later"
			}
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			s.take(reader)
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		}
		fmt.Fprintf(conn, "%s\r\n", answer)
	}
}

func (s *server) take(reader *bufio.Reader) {
	var letter strings.Builder
	for {
		line, err := reader.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		letter.WriteString(line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, letter.String())
}

func (s *server) isBusy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

func (s *server) setBusy(busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = busy
}

func (s *server) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.letters...)
}

func TestLetterGoesThroughSMTP(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	sender, err := mail.NewSMTP(s.url, from, now)
	require.NoError(t, err)
	require.NoError(t, sender.Ping(context.Background()))
	for range 2 {
		require.NoError(t, sender.Send(context.Background(), mail.Letter{Message: order, Key: "evt_1/confirmation"}))
	}
	letters := s.received()
	require.Len(t, letters, 2)
	for _, part := range []string{"From: \"Luma\" <shop@example.com>", "To: \"Ada\" <ada@example.org>", "multipart/alternative", "text/plain", "text/html", "Mon, 23 Nov 2026 18:00:00"} {
		require.Contains(t, letters[0], part)
	}
	require.Equal(t, header(letters[0], "Message-ID"), header(letters[1], "Message-ID"), "a second copy can be recognised")
	require.Contains(t, header(letters[0], "Message-ID"), "@example.com>")
}

func header(letter, name string) string {
	for line := range strings.Lines(letter) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func TestSMTPSettingIsChecked(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"smtp://user:pass@mail.example", "smtp+starttls://mail.example:2525", "smtps://mail.example"} {
		_, err := mail.NewSMTP(address, from, now)
		require.NoError(t, err, address)
	}
	for _, address := range []string{"http://mail.example", "mail.example:25", "smtp://:587"} {
		_, err := mail.NewSMTP(address, from, now)
		require.ErrorContains(t, err, "SHOPD_SMTP_URL", address)
	}
}

func TestServerWithoutEncryptionIsRefusedWhenItIsRequired(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	sender, err := mail.NewSMTP(strings.Replace(s.url, "smtp://", "smtp+starttls://", 1), from, now)
	require.NoError(t, err)
	require.Error(t, sender.Send(context.Background(), mail.Letter{Message: order, Key: "k"}))
	require.Empty(t, s.received())
}

func TestFolderKeepsEachLetterOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	f, err := mail.NewFolder(dir, from, now)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, f.Send(context.Background(), mail.Letter{Message: order, Key: "evt_1/confirmation"}))
	}
	again, err := mail.NewFolder(dir, from, now)
	require.NoError(t, err)
	require.NoError(t, again.Send(context.Background(), mail.Letter{Message: order, Key: "evt_1/confirmation"}), "the next process knows it too")
	letters, err := f.List(10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, order, letters[0].Message)
}

func TestMessageThatCannotBeAMailIsRefused(t *testing.T) {
	t.Parallel()
	f, err := mail.NewFolder(t.TempDir(), from, now)
	require.NoError(t, err)
	for name, m := range map[string]mail.Message{
		"recipient with a second header": {To: "a@example.org\r\nBcc: b@example.org", Subject: "s", Text: "t"},
		"recipient that is no address":   {To: "nobody", Subject: "s", Text: "t"},
		"subject of two lines":           {To: "a@example.org", Subject: "s\nBcc: b@example.org", Text: "t"},
		"no text":                        {To: "a@example.org", Subject: "s"},
	} {
		err := f.Send(context.Background(), mail.Letter{Message: m, Key: name})
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "a@example.org", "addresses are not for the log")
	}
}

func TestPagesShowMailsAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := mail.NewFolder(filepath.Join(dir, "mail"), from, now)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret.json"), []byte(`{"subject":"secret"}`), 0o600))
	handler := f.Handler("/dev/mail")
	require.Contains(t, get(t, handler, "/dev/mail").Body.String(), "No mail yet")

	hostile := mail.Message{To: "a@example.org", Subject: `<script>alert(1)</script>`, Text: "</pre><script>alert(2)</script>", HTML: `<a href="http://x/reset?t=1&u=2">Reset</a><script>alert(3)</script>"`}
	require.NoError(t, f.Send(context.Background(), mail.Letter{Message: hostile, Key: "k"}))
	letters, err := f.List(1)
	require.NoError(t, err)
	id := letters[0].ID

	for _, path := range []string{"/dev/mail", "/dev/mail/", "/dev/mail/" + id} {
		answer := get(t, handler, path)
		require.Equal(t, http.StatusOK, answer.Code, path)
		require.NotContains(t, answer.Body.String(), "<script", path)
		require.Contains(t, answer.Header().Get("Content-Security-Policy"), "default-src 'none'")
		require.Contains(t, answer.Body.String(), `name="viewport"`)
	}
	page := get(t, handler, "/dev/mail/"+id).Body.String()
	_, rest, ok := strings.Cut(page, `sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="`)
	require.True(t, ok, "the mail stands in a frame without scripts")
	framed, _, ok := strings.Cut(rest, `"></iframe>`)
	require.True(t, ok)
	require.Equal(t, `<base target="_blank">`+hostile.HTML, html.UnescapeString(framed))

	source := get(t, handler, "/dev/mail/"+id+"/source")
	require.Equal(t, "message/rfc822", source.Header().Get("Content-Type"))
	require.Contains(t, source.Body.String(), "To: <"+hostile.To+">")
	var list struct{ Items []mail.Kept }
	require.NoError(t, json.Unmarshal(get(t, handler, "/dev/mail/messages.json").Body.Bytes(), &list))
	require.Equal(t, hostile, list.Items[0].Message)

	for _, path := range []string{"/dev/mail/secret", "/dev/mail/..%2fsecret", "/dev/mail/20261123T180000.000-000000000000000000000000", "/dev/mail/x/source"} {
		require.Equal(t, http.StatusNotFound, get(t, handler, path).Code, path)
	}
}

func get(t *testing.T, handler http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

// reversing is a sealer that can be recognised in the database and refuses other associated data.
type reversing struct{}

func (reversing) Seal(plain, ad []byte) ([]byte, error) {
	sealed := append([]byte(string(ad)+"\x00"), plain...)
	for i := range sealed {
		sealed[i] ^= 0x5a
	}
	return sealed, nil
}

func (reversing) Open(sealed, ad []byte) ([]byte, error) {
	plain := make([]byte, len(sealed))
	for i := range sealed {
		plain[i] = sealed[i] ^ 0x5a
	}
	rest, ok := strings.CutPrefix(string(plain), string(ad)+"\x00")
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return []byte(rest), nil
}

func TestLetterIsSentAfterItsTransactionOnceAndWaitsSealed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := testenv.Database(t)
	s := newServer(t)
	s.setBusy(true)
	sender, err := mail.NewSMTP(s.url, from, now)
	require.NoError(t, err)
	queue, err := jobs.NewQueue()
	require.NoError(t, err)
	outbox := mail.NewOutbox(queue, reversing{})

	users, err := postgres.Open(ctx, postgres.Config{URL: url, Role: "shopd_users", MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(users.Close)
	for range 3 {
		require.NoError(t, postgres.InTx(ctx, users, func(tx pgx.Tx) error { return outbox.Enqueue(ctx, tx, "evt_1/welcome", order) }))
	}
	owner, err := postgres.Open(ctx, postgres.Config{URL: url, MaxConns: 2})
	require.NoError(t, err)
	t.Cleanup(owner.Close)
	var args string
	var count int
	require.NoError(t, owner.QueryRow(ctx, "select min(args::text), count(*) from jobs.river_job").Scan(&args, &count))
	require.Equal(t, 1, count)
	require.NotContains(t, args, "ada@example.org")
	require.NotContains(t, args, "1001")

	registry := jobs.NewRegistry()
	mail.Deliver(registry, reversing{}, sender)
	pool, err := postgres.Open(ctx, postgres.Config{URL: url, Role: jobs.Role, MaxConns: 4})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	client, err := jobs.New(jobs.Config{
		Pool: pool, Registry: registry, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Tracer: noop.NewTracerProvider().Tracer(""), PollInterval: 50 * time.Millisecond, Workers: 2,
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(ctx))
	t.Cleanup(func() { require.NoError(t, client.Stop(ctx)) })

	require.Eventually(t, func() bool {
		var failures int
		err := owner.QueryRow(ctx, "select count(*) from jobs.river_job where errors is not null").Scan(&failures)
		return err == nil && failures == 1
	}, 10*time.Second, 20*time.Millisecond, "the server is busy at first")
	s.setBusy(false)
	require.Eventually(t, func() bool { return len(s.received()) == 1 }, 20*time.Second, 20*time.Millisecond)
	require.Contains(t, s.received()[0], "ada@example.org")
}
