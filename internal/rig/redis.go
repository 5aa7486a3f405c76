package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Redis is a Redis server of our own. It keeps nothing: it starts empty each time.
type Redis struct {
	Addr string
	dir  string
	bin  string
	*Process
	Client *redis.Client
}

// NewRedis prepares a server that works in dir; Start starts it.
func NewRedis(ctx context.Context, dir string) (*Redis, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("Redis is not installed, run scripts/install services: %w", err)
	}
	r := &Redis{dir: dir, bin: bin}
	if r.Addr, err = FreeAddress(ctx); err != nil {
		return nil, err
	}
	r.Client = redis.NewClient(&redis.Options{Addr: r.Addr, MaxRetries: -1})
	return r, errors.Join(os.MkdirAll(dir, 0o700), own(dir))
}

// Start starts the server, or starts it again, and waits until it answers.
func (r *Redis) Start(ctx context.Context) (err error) {
	_, port, _ := strings.Cut(r.Addr, ":")
	r.Process, err = Start(Command{
		Name: "Redis", Path: r.bin, Dir: r.dir, Log: r.dir + ".log", Unprivileged: true,
		Args: []string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", r.dir},
	})
	if err != nil {
		return err
	}
	return await(ctx, r.Process, func(ctx context.Context) error { return r.Client.Ping(ctx).Err() })
}

// RedisURL is the address for shopd behind addr, which may be a proxy.
func RedisURL(addr string) string { return "redis://" + addr + "/0" }

// Close ends the server.
func (r *Redis) Close() error {
	err := r.Client.Close()
	if r.Process == nil || r.Ended() {
		return err
	}
	return errors.Join(err, r.SignalGroup(syscall.SIGCONT), r.Stop(syscall.SIGTERM, servicePatience))
}
