package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"shopd/internal/platform/lifecycle"
	"shopd/internal/pricing/sim"
)

// PricingSim runs the pricing engine alone on addr, until it is told to stop.
func (p Program) PricingSim(ctx context.Context, addr string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := lifecycle.Listen(addr, "--addr", "--addr")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: sim.New().Handler(), ReadHeaderTimeout: headerTimeout}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // nothing that was under way is worth waiting for
	if _, err := fmt.Fprintf(p.Stdout, "The pricing engine is at http://%s\n", reachable(l.Addr())); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
