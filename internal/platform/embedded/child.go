package embedded

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// childArgument makes this program the keeper of a database. It is no command for people.
const childArgument = "__embedded-postgres"

// childSpec is the first line of the child's standard input.
type childSpec struct {
	UID, GID   int // who the keeper and PostgreSQL run as; -1 for the user we are
	Home       string
	Cache      string
	Password   string
	Repository string
}

// message is one line of the child's standard output; one of its fields is set.
type message struct {
	Progress string `json:",omitempty"`
	Failed   string `json:",omitempty"`
	Port     int    `json:",omitempty"`
}

// MaybeRunChild turns the process into the keeper of a database when StartPostgres has started it for that, and does
// not return then. Call it before anything else in main, and in TestMain of tests that start a database.
func MaybeRunChild() {
	if len(os.Args) != 2 || os.Args[1] != childArgument {
		return
	}
	if err := runChild(os.Stdin, json.NewEncoder(os.Stdout)); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// runChild keeps a database until its input ends or it is told to terminate. Its parent may be gone at any moment, so
// a pipe that nobody reads is no reason to die.
func runChild(stdin io.Reader, stdout *json.Encoder) error {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT)
	input := bufio.NewReader(stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var spec childSpec
	if err := json.Unmarshal(line, &spec); err != nil {
		return err
	}
	say := func(m message) { _ = stdout.Encode(m) } // the parent may be gone; the end of the input tells
	quit := quitSignal(input)
	if err := keep(spec, say, quit); err != nil {
		say(message{Failed: err.Error()})
		return err
	}
	return nil
}

// quitSignal is closed when the parent is gone, when it wants us to stop, or when somebody terminates us.
func quitSignal(input io.Reader) <-chan struct{} {
	quit := make(chan struct{})
	ended := make(chan struct{})
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, input) // any end is the end
		close(ended)
	}()
	go func() {
		select {
		case <-ended:
		case <-terminated:
		}
		close(quit)
	}()
	return quit
}

// keep runs the database from its preparation to its end. It never runs as root: PostgreSQL refuses to, and the programs
// that make and run it come from a download.
func keep(spec childSpec, say func(message), quit <-chan struct{}) error {
	c := &cluster{spec: spec, say: say, quit: quit}
	if err := c.takeHome(); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	server, port, err := c.start()
	if errors.Is(err, errQuit) {
		return nil
	}
	if err != nil {
		return err
	}
	say(message{Port: port})
	select {
	case <-quit:
		return server.stop()
	case <-server.done:
		return fmt.Errorf("the database ended by itself: %w\n%s", server.err, c.logTail())
	}
}
