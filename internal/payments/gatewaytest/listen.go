package gatewaytest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Gateway is a double, as what serves it knows it.
type Gateway interface {
	Handler() http.Handler
	// SetBaseURL tells the double where it is, before its first request.
	SetBaseURL(address string)
	// Close ends calls that hang and webhooks under way.
	Close()
}

// Server is a double on a port.
type Server struct {
	URL    string
	double Gateway
	http   *http.Server
	served chan error
}

const headerTimeout = 10 * time.Second

// Serve answers for double on a listener until Close.
func Serve(double Gateway, l net.Listener) *Server {
	s := &Server{URL: "http://" + l.Addr().String(), double: double, served: make(chan error, 1)}
	double.SetBaseURL(s.URL)
	s.http = &http.Server{Handler: double.Handler(), ReadHeaderTimeout: headerTimeout}
	go func() { s.served <- s.http.Serve(l) }()
	return s
}

// Listen is Serve on an address, whose port 0 picks a free one.
func Listen(double Gateway, address string) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	return Serve(double, l), nil
}

// Close ends the double and its server.
func (s *Server) Close() error {
	s.double.Close()
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// TB is what Start needs of a test. The program itself does without the package testing.
type TB interface {
	Helper()
	Cleanup(f func())
	Fatal(args ...any)
	Errorf(format string, args ...any)
}

// Start serves double on a free port for the time of a test and returns its address.
func Start(t TB, double Gateway) (url string) {
	t.Helper()
	s, err := Listen(double, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close a gateway's double: %v", err)
		}
	})
	return s.URL
}

// KeepIn makes the book survive the process: what it holds is read from, and written to, a file in dir. The caller
// closes the file.
func (c *Control) KeepIn(dir string) (*os.File, error) {
	path := filepath.Join(dir, c.Name+".jsonl")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the gateway's journal: %w", err)
	}
	if err := c.Book.Restore(f, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
