// Command bench measures shopd on this machine and puts the limit of the machine beside every number: a bare Go handler
// that answers the same bytes for reads, and pgbench with the least SQL that an order can be for purchases. It runs on
// the services of `make services`, with PostgreSQL made durable for the time of the run.
//
// docs/performance.md says how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	duration    time.Duration
	rounds      int
	connections []int
	only        []string
	engine      string
	json        bool
	shopd       string
	keepAlive   bool
	relevance   string   // folder of a data set: only how well the engine finds is measured
	half        int      // of its queries; 0 for all
	run         string   // file for the answers
	settings    []string // NAME=value, further ones of shopd
}

// scenarios are what can be measured, in the order in which it is.
var scenarios = []string{"product", "listing", "search", "purchase", "hot"}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareCommand {
		if err := serveBare(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	say := func(text string) { fmt.Fprintln(os.Stderr, "  "+text) }
	if o.relevance != "" {
		err := printFinding(ctx, o, say)
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	report, err := run(ctx, o, say)
	stop()
	if report != nil {
		err = errors.Join(err, report.print(os.Stdout, o.json))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{only: scenarios}
	var connections, only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "how long each measurement takes")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each measurement is made beside its limit; the table shows medians")
	flags.StringVar(&connections, "connections", "32,16", "numbers of connections")
	flags.StringVar(&only, "only", strings.Join(scenarios, ","), "what to measure")
	flags.StringVar(&o.engine, "engine", engineElasticsearch, "search engine: elasticsearch or embedded")
	flags.StringVar(&o.shopd, "shopd", "", "the binary to measure; empty builds this tree")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flags.Func("set", "a further setting of shopd, `NAME=value`; may be given again", func(text string) error {
		o.settings = append(o.settings, text)
		return nil
	})
	flags.StringVar(&o.relevance, "relevance", "", "measure only how well -engine finds, on the data set in this `FOLDER` (products.jsonl.gz, dev.jsonl.gz)")
	flags.IntVar(&o.half, "half", 0, "with -relevance: ask only the first (1) or the second (2) half of the queries")
	flags.StringVar(&o.run, "run", "", "with -relevance: write the answers to this `FILE`, one query a line")
	flags.BoolVar(&o.keepAlive, "hold", false, "after measuring, leave everything running until interrupted, to look at it")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.duration < 100*time.Millisecond || o.rounds < 1 {
		return o, errors.New("no arguments are taken, -duration is at least 100ms and -rounds at least 1")
	}
	if o.half < 0 || o.half > 2 {
		return o, errors.New("-half is 1 or 2, or 0 for all")
	}
	if o.engine != engineElasticsearch && o.engine != engineEmbedded {
		return o, fmt.Errorf("-engine is %s or %s", engineElasticsearch, engineEmbedded)
	}
	for text := range strings.SplitSeq(connections, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 200 {
			return o, fmt.Errorf("-connections: %q is not a number from 1 to 200", text)
		}
		o.connections = append(o.connections, n)
	}
	o.only = strings.Split(only, ",")
	for _, name := range o.only {
		if !slices.Contains(scenarios, name) {
			return o, fmt.Errorf("-only: %q is none of %s", name, strings.Join(scenarios, ", "))
		}
	}
	return o, nil
}

// run sets everything up, measures and takes everything down.
func run(ctx context.Context, o options, say func(string)) (_ *report, err error) {
	place, err := openPlace(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, place.close()) }()
	say("PostgreSQL is durable until this is over (fsync, full_page_writes, synchronous_commit on)")
	shop, err := openShop(ctx, place, o, say)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shop.close()) }()

	b := &bench{options: o, place: place, shop: shop, say: say, report: newReport(o, place)}
	for _, measure := range []func(context.Context) error{b.reads, b.purchases, b.hot, b.redis} {
		if err := measure(ctx); err != nil {
			return b.report, err
		}
	}
	if o.keepAlive {
		say("shopd stays at " + shop.url + ", its ops address is " + shop.ops + "; interrupt to end")
		<-ctx.Done()
	}
	return b.report, nil
}

// bench is one run.
type bench struct {
	options
	place  *place
	shop   *shop
	say    func(string)
	report *report
}

func (b *bench) wants(scenario string) bool { return slices.Contains(b.only, scenario) }
