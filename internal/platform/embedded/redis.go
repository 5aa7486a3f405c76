package embedded

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// expiryTick is how late a key of the embedded Redis may expire.
const expiryTick = 50 * time.Millisecond

// Redis is a Redis inside this process, for a shop that has no other. What is in it is gone with the process.
type Redis struct {
	server  *miniredis.Miniredis
	url     string
	quit    chan struct{}
	stopped chan struct{}
}

// StartRedis starts it on a free loopback port, behind a password that only this process knows.
func StartRedis() (*Redis, error) {
	server := miniredis.NewMiniRedis()
	password := rand.Text()
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	r := &Redis{
		server: server, url: "redis://:" + password + "@" + server.Addr() + "/0",
		quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	go r.passTime()
	return r, nil
}

// passTime lets keys expire: in miniredis no time passes by itself.
func (r *Redis) passTime() {
	defer close(r.stopped)
	tick := time.NewTicker(expiryTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-r.quit:
			return
		case <-tick.C:
			now := time.Now()
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// URL is how to connect to it.
func (r *Redis) URL() string { return r.url }

// Stop ends it. It must be called once.
func (r *Redis) Stop() {
	close(r.quit)
	<-r.stopped
	r.server.Close()
}
