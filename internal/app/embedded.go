package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shopd/internal/platform/config"
	"shopd/internal/platform/embedded"
	"shopd/internal/platform/migrate"
)

// MaybeRunChild turns the process into the keeper of an embedded database when it was started for that. It comes
// first in main.
func MaybeRunChild() { embedded.MaybeRunChild() }

// services are the embedded services of a process that was given none.
type services struct {
	dir      *embedded.Dir
	postgres *embedded.Postgres
	redis    *embedded.Redis
}

// startServices starts what cfg does not name, writes its addresses into cfg, and brings the schema up to date.
// progress is told what takes long.
func startServices(ctx context.Context, cfg *config.Config, dir *embedded.Dir, progress func(string)) (_ *services, err error) {
	s := &services{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(context.WithoutCancel(ctx)))
		}
	}()
	if cfg.Keys.Master == "" && cfg.Profile == config.Test {
		cfg.Keys.Master = testMasterKey
	}
	if cfg.Keys.Master == "" {
		if cfg.Keys.Master, err = keepMasterKey(dir); err != nil {
			return nil, err
		}
	}
	if cfg.Database.URL == "" {
		if s.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: dir.Path(), Progress: progress}); err != nil {
			return nil, err
		}
		cfg.Database.URL = config.Secret(s.postgres.URL())
	}
	if cfg.Redis.URL == "" {
		if s.redis, err = embedded.StartRedis(); err != nil {
			return nil, err
		}
		cfg.Redis.URL = config.Secret(s.redis.URL())
	}
	if err := migrate.Up(ctx, cfg.Database.URL.Reveal()); err != nil {
		return nil, fmt.Errorf("bring the database schema up to date: %w", err)
	}
	return s, nil
}

func (s *services) stop(ctx context.Context) error {
	var failures []error
	if s.redis != nil {
		s.redis.Stop()
	}
	if s.postgres != nil {
		failures = append(failures, s.postgres.Stop(ctx))
	}
	return errors.Join(failures...)
}

// testMasterKey is the key of the test profile, where replicas must agree on one and nothing is worth protecting.
const testMasterKey = config.Secret("c2hvcGQgdGVzdCBwcm9maWxlIGtleSwgbm8gc2VjcmU=")

const masterKeyName = "master.key"

// keepMasterKey returns the key of the data directory, made on the first start.
func keepMasterKey(dir *embedded.Dir) (config.Secret, error) {
	name := dir.Join(masterKeyName)
	key, err := os.ReadFile(name)
	if err == nil {
		return config.Secret(key), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the key of the data directory: %w", err)
	}
	raw := make([]byte, 32)
	rand.Read(raw) // never returns an error
	text := base64.StdEncoding.EncodeToString(raw)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("keep the key of the data directory: %w", err)
	}
	return config.Secret(text), nil
}

// connection is how commands reach a shop that runs in a data directory.
type connection struct {
	DatabaseURL string `json:"database_url"`
	RedisURL    string `json:"redis_url"`
	RabbitMQURL string `json:"rabbitmq_url,omitempty"`
	SearchURL   string `json:"elasticsearch_url,omitempty"`
	MasterKey   string `json:"master_key"`
	Storefront  string `json:"storefront"`
	Ops         string `json:"ops"`
	// Gateways are the settings of the doubles that the shop pays through.
	Gateways []string `json:"gateways,omitempty"`
}

const connectionName = "connection.json"

// tell leaves the addresses of a running shop in its data directory, for this user's eyes only.
func (c connection) tell(dir string) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, connectionName), body, 0o600)
}

// errNotRunning says that a command needs a shop that runs.
var errNotRunning = errors.New("no shop runs on this data directory: start one with shopd demo, or give SHOPD_DATABASE_URL")

// findRunning reads the addresses of the shop that runs in dir; empty is where the demo keeps its data.
func findRunning(dir string) (connection, string, error) {
	var c connection
	if dir == "" {
		var err error
		if dir, err = embedded.DefaultDir(); err != nil {
			return c, "", err
		}
	}
	if _, running := embedded.Running(dir); !running {
		return c, dir, fmt.Errorf("%w (looked in %s; another one with --data DIR)", errNotRunning, dir)
	}
	body, err := os.ReadFile(filepath.Join(dir, connectionName))
	if err != nil {
		return c, dir, fmt.Errorf("read where the shop in %s can be reached: %w", dir, err)
	}
	return c, dir, json.Unmarshal(body, &c)
}
