package lifecycle_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/platform/lifecycle"
)

// diary notes what happens, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.lines...)
}

func (d *diary) part(g *lifecycle.Group, name string, failure error) {
	g.Add(name,
		func(context.Context) error { d.note("start " + name); return failure },
		func(context.Context) error { d.note("stop " + name); return nil })
}

func newGroup(limits lifecycle.Limits) *lifecycle.Group {
	if limits.DrainTimeout == 0 {
		limits.DrainTimeout = 5 * time.Second
	}
	return lifecycle.NewGroup(slog.New(slog.DiscardHandler), limits)
}

func TestPartsStopInReverse(t *testing.T) {
	t.Parallel()
	g, d := newGroup(lifecycle.Limits{}), &diary{}
	d.part(g, "database", nil)
	d.part(g, "broker", nil)
	g.Go("loop", func(ctx context.Context) error { <-ctx.Done(); d.note("loop over"); return nil })
	ctx, cancel := context.WithCancel(context.Background())
	require.NoError(t, g.Run(ctx, func() {
		require.True(t, g.Ready())
		d.note("all run")
		cancel()
	}))
	require.False(t, g.Ready())
	require.Equal(t, []string{"start database", "start broker", "all run", "loop over", "stop broker", "stop database"}, d.all())
}

func TestFailedStartStopsWhatHasBegun(t *testing.T) {
	t.Parallel()
	g, d := newGroup(lifecycle.Limits{DrainDelay: time.Hour}), &diary{}
	broken := errors.New("broken")
	d.part(g, "database", nil)
	d.part(g, "broker", broken)
	d.part(g, "never", nil)
	err := g.Run(context.Background(), func() { t.Error("not all parts run") })
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "start broker")
	require.Equal(t, []string{"start database", "start broker", "stop broker", "stop database"}, d.all())
}

func TestFailedLoopStopsTheGroup(t *testing.T) {
	t.Parallel()
	g, d := newGroup(lifecycle.Limits{DrainDelay: time.Hour}), &diary{}
	d.part(g, "database", nil)
	g.Go("relay", func(context.Context) error { return errors.New("lost") })
	require.ErrorContains(t, g.Run(context.Background(), nil), "relay ended: lost")
	require.Equal(t, []string{"start database", "stop database"}, d.all())
}

func TestPartThatDoesNotEndIsCutOffAtTheLimit(t *testing.T) {
	t.Parallel()
	g, d := newGroup(lifecycle.Limits{DrainTimeout: 50 * time.Millisecond}), &diary{}
	d.part(g, "database", nil)
	release := make(chan struct{})
	defer close(release)
	g.Go("stubborn", func(context.Context) error { <-release; return nil })
	ctx, cancel := context.WithCancel(context.Background())
	err := g.Run(ctx, cancel)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "stop stubborn")
	require.Equal(t, []string{"start database", "stop database"}, d.all())
}

func TestServerFinishesItsRequestsAndIsUnreadyMeanwhile(t *testing.T) {
	t.Parallel()
	g := newGroup(lifecycle.Limits{DrainDelay: 100 * time.Millisecond})
	listener, err := lifecycle.Listen("127.0.0.1:0", "--addr", "SHOPD_ADDR")
	require.NoError(t, err)
	begun := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		time.Sleep(300 * time.Millisecond)
		fmt.Fprint(w, "done")
	})
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, g.Ready()) })
	g.Serve("http", &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}, listener)

	base := "http://" + listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, nil) }()
	require.Eventually(t, func() bool { return body(t, base+"/ready") == "true" }, 20*time.Second, 5*time.Millisecond)
	slow := make(chan string, 1)
	go func() { slow <- body(t, base+"/slow") }()
	<-begun
	cancel()
	require.Eventually(t, func() bool { return !g.Ready() }, 10*time.Second, time.Millisecond)
	require.Equal(t, "false", body(t, base+"/ready"), "while load balancers turn away, requests are still served")
	require.Equal(t, "done", <-slow)
	require.NoError(t, <-ended)
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err)
}

// A balancer that has not noticed yet sends its next request on a connection that was idle when the stop began.
func TestIdleConnectionsSurviveTheBeginningOfAStop(t *testing.T) {
	t.Parallel()
	g := newGroup(lifecycle.Limits{DrainDelay: time.Second})
	listener, err := lifecycle.Listen("127.0.0.1:0", "--addr", "SHOPD_ADDR")
	require.NoError(t, err)
	answered := make(chan struct{})
	g.Serve("http", &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "done")
	})}, listener)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(answered) }) }()
	<-answered

	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	replies := bufio.NewReader(conn)
	ask := func() *http.Response {
		_, err := fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(replies, nil)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "done", string(text))
		return res
	}
	require.False(t, ask().Close)
	cancel()
	require.Eventually(t, func() bool { return !g.Ready() }, 10*time.Second, time.Millisecond)
	require.True(t, ask().Close, "it is told to come back on another one")
	require.NoError(t, <-ended)
}

func body(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Not parallel: signals reach every group of the process.
func TestFirstSignalStopsAndSecondKills(t *testing.T) {
	g := newGroup(lifecycle.Limits{})
	killed := make(chan struct{})
	g.SetKill(func() { close(killed) })
	stopping := make(chan struct{})
	g.Add("slow", nil, func(context.Context) error { close(stopping); <-killed; return nil })
	require.NoError(t, g.Run(context.Background(), func() {
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
		go func() {
			<-stopping
			_ = syscall.Kill(os.Getpid(), syscall.SIGINT) // cannot fail: it is us
		}()
	}))
	select {
	case <-killed:
	default:
		require.Fail(t, "the second signal did nothing")
	}
}

func TestStopWhileStartingIsNoFailure(t *testing.T) {
	t.Parallel()
	g, d := newGroup(lifecycle.Limits{}), &diary{}
	ctx, cancel := context.WithCancel(context.Background())
	g.Add("slow", func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }, func(context.Context) error { d.note("stop slow"); return nil })
	d.part(g, "never", nil)
	require.NoError(t, g.Run(ctx, nil))
	require.Equal(t, []string{"stop slow"}, d.all())
}

func TestBusyPortNamesTheWayOut(t *testing.T) {
	t.Parallel()
	taken, err := lifecycle.Listen("127.0.0.1:0", "--addr", "SHOPD_ADDR")
	require.NoError(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	_, err = lifecycle.Listen(addr, "--addr", "SHOPD_ADDR")
	require.ErrorContains(t, err, "address "+addr+" is in use")
	require.ErrorContains(t, err, "Choose another with --addr or SHOPD_ADDR, e.g. --addr :0")
	require.ErrorContains(t, err, fmt.Sprintf("(process %d)", os.Getpid()))
}
