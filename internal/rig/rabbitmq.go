package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// rabbitMQ is where Debian keeps the program that runs as whoever starts it; the one in /usr/sbin changes the user.
	rabbitMQ    = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	rabbitMQCtl = "/usr/lib/rabbitmq/bin/rabbitmqctl"
)

// RabbitMQ is a RabbitMQ node of our own, with an epmd of its own.
type RabbitMQ struct {
	Addr string
	dir  string
	env  []string
	epmd *Process
	*Process
}

// NewRabbitMQ prepares a node that works in dir; Start starts it.
func NewRabbitMQ(ctx context.Context, dir string) (*RabbitMQ, error) {
	for _, path := range []string{rabbitMQ, rabbitMQCtl} {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("RabbitMQ is not installed, run scripts/install services: %w", err)
		}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "log"), 0o700), own(dir), own(filepath.Join(dir, "log"))); err != nil {
		return nil, err
	}
	var ports []string
	r := &RabbitMQ{dir: dir}
	for range 3 {
		addr, err := FreeAddress(ctx)
		if err != nil {
			return nil, err
		}
		_, port, _ := strings.Cut(addr, ":")
		ports = append(ports, port)
		r.Addr = "127.0.0.1:" + ports[0]
	}
	conf := "listeners.tcp.1 = " + r.Addr + "\ndisk_free_limit.absolute = 50MB\nlog.file.level = warning\n"
	for name, text := range map[string]string{"rabbitmq.conf": conf, "enabled_plugins": "[].\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	r.env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "LANG=C.UTF-8",
		"RABBITMQ_NODENAME=shopd" + ports[0] + "@localhost",
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(dir, "advanced.config"),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "rabbitmq-env.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
		"RABBITMQ_PID_FILE=" + filepath.Join(dir, "node.pid"), "RABBITMQ_NODE_PORT=" + ports[0], "RABBITMQ_DIST_PORT=" + ports[1],
		"ERL_EPMD_PORT=" + ports[2], "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_CTL_ERL_ARGS=+S 1:1",
	}
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return nil, fmt.Errorf("find Erlang's port mapper: %w", err)
	}
	r.epmd, err = Start(Command{
		Name: "epmd", Path: epmd, Args: []string{"-port", ports[2], "-address", "127.0.0.1"}, Dir: dir, Log: dir + ".log", Unprivileged: true,
	})
	return r, err
}

// Start starts the node, or starts it again, and waits until it takes connections.
func (r *RabbitMQ) Start(ctx context.Context) (err error) {
	r.Process, err = Start(Command{Name: "RabbitMQ", Path: rabbitMQ, Env: r.env, Dir: r.dir, Log: r.dir + ".log", Unprivileged: true})
	if err != nil {
		return err
	}
	return await(ctx, r.Process, func(context.Context) error {
		conn, err := amqp.Dial(RabbitMQURL(r.Addr))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Ctl runs rabbitmqctl on the node.
func (r *RabbitMQ) Ctl(ctx context.Context, args ...string) error {
	err := runAs(ctx, r.env, r.dir, rabbitMQCtl, args...)
	return err
}

// RabbitMQURL is the address for shopd behind addr, which may be a proxy.
func RabbitMQURL(addr string) string { return "amqp://guest:guest@" + addr + "/" }

// Close ends the node and its epmd.
func (r *RabbitMQ) Close() error {
	var failures []error
	if r.Process != nil && !r.Ended() {
		failures = append(failures, r.SignalGroup(syscall.SIGCONT), r.Stop(syscall.SIGTERM, servicePatience))
	}
	return errors.Join(append(failures, r.epmd.Kill())...)
}
