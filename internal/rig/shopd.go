package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Build compiles shopd from the source tree in dir into path, with further flags of go build.
func Build(ctx context.Context, dir, path string, flags ...string) error {
	args := append([]string{"-C", dir, "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", path}, flags...)
	_, err := Run(ctx, nil, "go", append(args, "./cmd/shopd")...)
	return err
}

// WithoutShopd keeps the settings of whoever runs us out of what we run.
func WithoutShopd(environ []string) []string {
	var kept []string
	for _, e := range environ {
		if !strings.HasPrefix(e, "SHOPD_") {
			kept = append(kept, e)
		}
	}
	return kept
}

// AwaitReady waits until the shopd process p, whose ops listener is at ops (a URL), is ready.
func AwaitReady(ctx context.Context, p *Process, ops string) error {
	for {
		_, err := Fetch(ctx, ops+"/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return fmt.Errorf("%s ended: %w", p.Name, errors.Join(p.Err(), err))
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.Name, err)
		}
	}
}

// FreeAddress is a loopback address that nobody listens at.
func FreeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Fetch reads a small answer; anything but 200 is an error.
func Fetch(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", address, response.Status, body)
	}
	return body, errors.Join(err, response.Body.Close())
}

// Pause waits for d; the error is the context's.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
