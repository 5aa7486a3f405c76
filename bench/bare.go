package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// bareCommand makes this program the bare handler: a process of its own, as shopd is one.
const bareCommand = "serve-bare"

// bareServer is a running bare handler.
type bareServer struct {
	addr string
	cmd  *exec.Cmd
	dir  string
}

// startBare serves answers by their path and query.
func startBare(ctx context.Context, answers map[string][]byte) (_ *bareServer, err error) {
	b := &bareServer{}
	if b.dir, err = os.MkdirTemp("", "shopd-bench-bare-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(b.dir))
		}
	}()
	text, err := json.Marshal(answers)
	if err != nil {
		return nil, err
	}
	file := b.dir + "/answers.json"
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b.cmd = exec.CommandContext(ctx, self, bareCommand, file)
	b.cmd.Stderr = os.Stderr
	output, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the bare handler: %w", err), b.cmd.Process.Kill(), b.cmd.Wait())
	}
	b.addr = strings.TrimSpace(line)
	return b, nil
}

func (b *bareServer) pid() int { return b.cmd.Process.Pid }

func (b *bareServer) close() error {
	err := b.cmd.Process.Kill()
	var killed *exec.ExitError
	if waitErr := b.cmd.Wait(); !errors.As(waitErr, &killed) {
		err = errors.Join(err, waitErr)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// serveBare is the bare handler: net/http, a map of bytes and nothing else. It prints its address and never ends by
// itself.
func serveBare(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	answers := map[string][]byte{}
	if err := json.Unmarshal(text, &answers); err != nil {
		return err
	}
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println(l.Addr()); err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.URL.RequestURI()]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the caller hung up: nobody is left to tell
	})}
	return server.Serve(l)
}
