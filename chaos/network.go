package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// wire is the way from one replica to one service, where the network can be made to fail.
type wire struct {
	name  string
	proxy *toxiproxy.Proxy
}

// network makes wires.
type network struct {
	server *toxiproxy.ApiServer
	wires  []*wire
}

func newNetwork() *network {
	return &network{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())}
}

// lay opens a wire to the service at upstream.
func (n *network) lay(name, upstream string) (*wire, error) {
	w := &wire{name: name, proxy: toxiproxy.NewProxy(n.server, name, "127.0.0.1:0", upstream)}
	if err := w.proxy.Start(); err != nil {
		return nil, fmt.Errorf("open the way to %s: %w", name, err)
	}
	n.wires = append(n.wires, w)
	return w, nil
}

func (n *network) close() {
	for _, w := range n.wires {
		w.proxy.Stop()
	}
}

// addr is what the replica connects to.
func (w *wire) addr() string { return w.proxy.Listen }

// cut refuses connections and ends those that are open.
func (w *wire) cut() { w.proxy.Stop() }

// mend undoes whatever was done to the wire.
func (w *wire) mend(ctx context.Context) error {
	w.proxy.Toxics.ResetToxics(ctx)
	if err := w.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		return fmt.Errorf("mend the way to %s: %w", w.name, err)
	}
	return nil
}

// slow delays every answer.
func (w *wire) slow(by, jitter time.Duration) error {
	return w.toxic("latency", map[string]int64{"latency": by.Milliseconds(), "jitter": jitter.Milliseconds()})
}

// reset ends every connection with a reset as soon as something is said.
func (w *wire) reset() error { return w.toxic("reset_peer", map[string]int64{"timeout": 0}) }

// silence swallows everything in both directions and keeps connections open.
func (w *wire) silence() error {
	return errors.Join(w.toxic("timeout", map[string]int64{"timeout": 0}), w.toxicOn("upstream", "timeout", map[string]int64{"timeout": 0}))
}

func (w *wire) toxic(kind string, attributes map[string]int64) error {
	return w.toxicOn("downstream", kind, attributes)
}

func (w *wire) toxicOn(stream, kind string, attributes map[string]int64) error {
	body, err := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": attributes})
	if err != nil {
		return err
	}
	if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(string(body))); err != nil {
		return fmt.Errorf("disturb the way to %s: %w", w.name, err)
	}
	return nil
}
