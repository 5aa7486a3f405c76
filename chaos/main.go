// Command chaos lets buyers buy while everything that can fail does, heals it, and then holds what was promised against
// what outsiders know: the buyers' own notes, the books by SQL, a queue of its own, a mail server of its own. It starts
// its own PostgreSQL, Redis and RabbitMQ, two replicas of shopd, and a load balancer, and touches nothing else.
//
// docs/chaos.md says what it proves and how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	mode     string
	duration time.Duration
	seed     uint64
	rate     float64
	strict   bool
	json     bool
	keep     bool
	only     string
	shopd    string
	source   string
	state    string
	elastic  string
	replicas int
	patience time.Duration // until all is quiet
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	begin := time.Now()
	err = o.do(ctx, func(text string) {
		fmt.Fprintf(os.Stderr, "  %7.1f s  %s\n", time.Since(begin).Seconds(), text)
	})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// do does what was asked for and prints what it found. Its error says that a promise was broken, or that nothing can be
// said.
func (o options) do(ctx context.Context, say func(string)) error {
	switch o.mode {
	case modeCrash:
		r, err := runCrash(ctx, o, say)
		if err != nil {
			return err
		}
		return r.print(os.Stdout, o.json)
	case modeMutations:
		r, err := runMutations(ctx, o, say)
		if err != nil {
			return err
		}
		return r.print(os.Stdout, o.json)
	default:
		r, err := run(ctx, o, say)
		if err != nil {
			return err
		}
		return r.print(os.Stdout, o.json)
	}
}

// What chaos does: a storm, unless the first argument says otherwise.
const (
	modeStorm = "storm"
	modeCrash = "crash"
	// modeMutations lets a short storm blow over shops with one guard broken at a time.
	modeMutations = "mutations"
)

func parse(args []string, stderr io.Writer) (options, error) {
	today, err := strconv.ParseUint(time.Now().UTC().Format("20060102"), 10, 64)
	if err != nil {
		return options{}, err
	}
	o := options{mode: modeStorm, seed: today, replicas: 2, patience: quietPatience}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		o.mode, args = args[0], args[1:]
	}
	longest := 2 * time.Minute
	switch o.mode {
	case modeStorm:
	case modeCrash:
		longest = 0
	case modeMutations:
		longest = mutationStorm
	default:
		return o, fmt.Errorf("%q is none of %s, %s, %s", o.mode, modeStorm, modeCrash, modeMutations)
	}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.duration, "duration", longest, "how long the storm lasts, or crashes go on (0: until all are done); setting up, healing and checking come on top")
	flags.Uint64Var(&o.seed, "seed", o.seed, "what buyers and faults are drawn from; by default the day's date")
	flags.Float64Var(&o.rate, "rate", 12, "purchases begun in a second")
	flags.BoolVar(&o.strict, "strict", false, "judge latency too; for a machine that does nothing else")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of tables")
	flags.BoolVar(&o.keep, "keep", false, "keep the state directory also when all is well")
	flags.StringVar(&o.only, "only", "", "only the faults whose name, with its target, contains one of these, comma separated")
	flags.StringVar(&o.shopd, "shopd", "", "the binary to try; empty builds the tree")
	flags.StringVar(&o.source, "source", ".", "the tree to build")
	flags.StringVar(&o.state, "state", "", "where to make the state directory; empty is the usual place for temporary files")
	flags.StringVar(&o.elastic, "elastic", setting("SHOPD_TEST_ELASTICSEARCH_URL", "http://127.0.0.1:19200"),
		"an Elasticsearch to share; empty uses the index in the process")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.mode == modeStorm && o.duration < 10*time.Second || o.rate < 0.1 || o.rate > 1000 {
		return o, errors.New("no arguments are taken, -duration is at least 10s and -rate from 0.1 to 1000")
	}
	return o, nil
}

// setting reads the address of a service, under the name that the tests have for it.
func setting(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
