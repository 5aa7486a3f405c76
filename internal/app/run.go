package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"shopd/internal/platform/config"
	"shopd/internal/platform/embedded"
	"shopd/internal/platform/lifecycle"
	"shopd/internal/platform/migrate"
)

// Program is what a command is run with.
type Program struct {
	Version string
	Environ []string
	Stdout  io.Writer
	Stderr  io.Writer
}

// ServeOptions are the flags of shopd serve.
type ServeOptions struct {
	Roles []Role
}

// Serve runs the production process until it is told to stop. Outside production, services that no setting names are
// embedded.
func (p Program) Serve(ctx context.Context, o ServeOptions) error {
	cfg, err := config.LoadWithFile(p.Environ, config.Production, ".env")
	if err != nil {
		return err
	}
	in, err := NewInstruments(ctx, cfg, p.Version, p.Stderr)
	if err != nil {
		return err
	}
	collectLess(p.Environ)
	process := &process{Program: p, cfg: cfg, in: in, roles: o.Roles}
	if !cfg.Profile.Strict() {
		dir, remove, err := serveDir(cfg)
		if err != nil {
			return err
		}
		defer remove()
		process.dir = dir
	}
	return process.run(ctx, func(ctx context.Context) error {
		in.Log.InfoContext(ctx, "serving", "storefront", process.storefront(), "ops", process.ops(), "profile", string(cfg.Profile), "roles", o.Roles, "version", p.Version)
		return nil
	})
}

// collectLess trades memory for processor time: what lives in a shop's process is small beside what its requests leave
// behind. GOGC and GOMEMLIMIT are the operator's word and stand.
func collectLess(environ []string) {
	if !slices.ContainsFunc(environ, func(e string) bool { return strings.HasPrefix(e, "GOGC=") }) {
		debug.SetGCPercent(300)
	}
}

// serveDir is the data directory of a process outside production: the one that is set, or one that goes with the
// process.
func serveDir(cfg config.Config) (*embedded.Dir, func(), error) {
	path, remove := cfg.Shop.DataDir, func() {}
	if path == "" {
		temporary, err := os.MkdirTemp("", "shopd-")
		if err != nil {
			return nil, nil, fmt.Errorf("make a data directory: %w", err)
		}
		// The database's unprivileged user must be able to pass.
		if err := os.Chmod(temporary, 0o711); err != nil { //nolint:gosec // see above
			return nil, nil, fmt.Errorf("open the data directory: %w", err)
		}
		path, remove = temporary, func() { _ = os.RemoveAll(temporary) } // nobody is left to be told
	}
	dir, err := embedded.OpenDir(path)
	return dir, remove, err
}

// process is one run of a shop: its listeners, its embedded services, its parts.
type process struct {
	Program
	cfg      config.Config
	in       *Instruments
	roles    []Role
	dir      *embedded.Dir // nil in production
	progress func(string)
	// sample says that Stripe and PayPal are doubles, unless a setting names one of them.
	sample bool

	doubles          *doubles // nil where there are none
	shop             *Shop
	public, opsLines net.Listener
	services         *services
}

// storefront is the public origin.
func (p *process) storefront() string { return p.shop.baseURL() }

func (p *process) ops() string { return "http://" + reachable(p.opsLines.Addr()) }

// reachable is an address that a browser on this machine can go to.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// run opens everything, serves until told to stop, and closes everything. ready is called when requests are answered.
func (p *process) run(ctx context.Context, ready func(context.Context) error) (err error) {
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.open(ctx); err != nil {
		return err
	}
	group := lifecycle.NewGroup(p.in.Log, lifecycle.Limits{DrainDelay: p.cfg.Timers.DrainDelay, DrainTimeout: p.cfg.Timers.Drain})
	group.Serve("ops", &http.Server{Handler: p.shop.opsHandler(group.Ready), ReadHeaderTimeout: headerTimeout, ErrorLog: p.errorLog()}, p.opsLines)
	group.Go("work", func(ctx context.Context) error { return p.shop.work(ctx, p.roles) })
	if p.has(Web) {
		handler, err := p.shop.handler()
		if err != nil {
			return err
		}
		group.Serve("http", &http.Server{
			Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
			MaxHeaderBytes: maxHeader, ErrorLog: p.errorLog(),
		}, p.public)
	}
	if ready != nil {
		group.Go("ready", func(ctx context.Context) error {
			if err := ready(ctx); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
	}
	return group.Run(ctx, nil)
}

const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
)

func (p *process) errorLog() *log.Logger {
	return slog.NewLogLogger(p.in.Log.Handler(), slog.LevelDebug)
}

func (p *process) has(role Role) bool {
	for _, r := range p.roles {
		if r == role {
			return true
		}
	}
	return false
}

func (p *process) open(ctx context.Context) (err error) {
	if p.public, err = lifecycle.Listen(p.cfg.HTTP.Addr, "--addr", "SHOPD_ADDR"); err != nil {
		return err
	}
	if p.opsLines, err = lifecycle.Listen(p.cfg.HTTP.OpsAddr, "--ops-addr", "SHOPD_OPS_ADDR"); err != nil {
		return err
	}
	if p.cfg.HTTP.BaseURL == nil {
		p.cfg.HTTP.BaseURL = &url.URL{Scheme: "http", Host: reachable(p.public.Addr())}
	}
	data := p.cfg.Shop.DataDir
	if p.dir != nil {
		data = p.dir.Path()
		if p.services, err = startServices(ctx, &p.cfg, p.dir, p.progress); err != nil {
			return err
		}
	}
	if p.sample && p.cfg.Stripe.SecretKey == "" && p.cfg.PayPal.ClientID == "" {
		if p.doubles, err = p.openDoubles(); err != nil {
			return err
		}
		p.doubles.configure(&p.cfg)
	}
	p.shop, err = Open(ctx, p.cfg, Options{
		Version: p.Version, DataDir: data, Instruments: p.in, Media: bundledPictures, Doubles: p.doubles != nil,
	})
	if err != nil {
		return err
	}
	if p.dir == nil {
		return nil
	}
	c := connection{
		DatabaseURL: p.cfg.Database.URL.Reveal(), RedisURL: p.cfg.Redis.URL.Reveal(), RabbitMQURL: p.cfg.RabbitMQ.URL.Reveal(),
		SearchURL: p.cfg.Search.URL.Reveal(), MasterKey: p.cfg.Keys.Master.Reveal(), Storefront: p.storefront(), Ops: p.ops(),
	}
	if p.doubles != nil {
		c.Gateways = p.doubles.settings()
	}
	return c.tell(p.dir.Path())
}

// servicesStop bounds the end of the embedded services.
const servicesStop = 10 * time.Second

func (p *process) close() error {
	var failures []error
	if p.doubles != nil { // before the shop, so that no webhook meets one that is gone
		failures = append(failures, p.doubles.close())
	}
	if p.shop != nil {
		failures = append(failures, p.shop.Close())
	} else {
		failures = append(failures, p.in.Close())
	}
	for _, l := range []net.Listener{p.public, p.opsLines} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			failures = append(failures, err)
		}
	}
	if p.services != nil {
		ctx, cancel := context.WithTimeout(context.Background(), servicesStop)
		defer cancel()
		failures = append(failures, p.services.stop(ctx))
	}
	if p.dir != nil {
		failures = append(failures, p.dir.Close())
	}
	return errors.Join(failures...)
}

// DemoOptions are the flags of shopd demo.
type DemoOptions struct {
	Data    string // empty is the usual place
	Addr    string // empty is the setting's
	OpsAddr string
	Reset   bool // start over
	Empty   bool // without the sample shop
	JSON    bool // one line of JSON once ready
}

// The sample shop's accounts, for those who try it.
const (
	demoOwner            = "owner@example.com"
	demoLinkLife         = time.Hour
	demoShopName         = "Luma & Co."
	demoCustomerEmail    = "demo@example.com"
	demoCustomerPassword = "demo-shop-2026"
)

// Demo runs a whole shop in one process, on embedded services where no setting names others.
func (p Program) Demo(ctx context.Context, o DemoOptions) error {
	cfg, err := config.LoadWithFile(p.environWith(o), config.Demo, ".env")
	if err != nil {
		return err
	}
	if o.Data == "" {
		if o.Data = cfg.Shop.DataDir; o.Data == "" {
			if o.Data, err = embedded.DefaultDir(); err != nil {
				return err
			}
		}
	}
	in, err := NewInstruments(ctx, cfg, p.Version, p.Stderr)
	if err != nil {
		return err
	}
	dir, err := embedded.OpenDir(o.Data)
	if err != nil {
		return err
	}
	if o.Reset {
		if err := dir.Reset(); err != nil {
			return errors.Join(err, dir.Close())
		}
	}
	say := func(text string) {
		if !o.JSON {
			fmt.Fprintln(p.Stderr, "  "+text)
		}
	}
	process := &process{Program: p, cfg: cfg, in: in, roles: AllRoles(), dir: dir, progress: say, sample: true}
	return process.run(ctx, func(ctx context.Context) error {
		if err := process.shop.awaitSchema(ctx); err != nil {
			return err
		}
		if !o.Empty {
			if err := process.shop.Seed(ctx, say); err != nil {
				return fmt.Errorf("fill the sample shop: %w", err)
			}
			if err := process.shop.AwaitProjections(ctx); err != nil {
				return fmt.Errorf("fill the search index: %w", err)
			}
		}
		return process.welcome(ctx, o)
	})
}

// environWith adds the flags of the demo to the environment, where they win.
func (p Program) environWith(o DemoOptions) []string {
	environ := append([]string{"SHOPD_SHOP_NAME=" + demoShopName, "SHOPD_LOG_LEVEL=warn", "SHOPD_ADDR=127.0.0.1:8080"}, p.Environ...)
	if o.Addr != "" {
		environ = append(environ, "SHOPD_ADDR="+o.Addr)
	}
	if o.OpsAddr != "" {
		environ = append(environ, "SHOPD_OPS_ADDR="+o.OpsAddr)
	}
	return environ
}

// welcome prints where everything is.
func (p *process) welcome(ctx context.Context, o DemoOptions) error {
	owner, err := p.shop.Users.CreateAdmin(ctx, demoOwner, "")
	if err != nil {
		return err
	}
	token, err := p.shop.Users.IssueLoginLink(ctx, owner, demoLinkLife)
	if err != nil {
		return err
	}
	where := map[string]string{
		"storefront": p.storefront(), "admin": p.storefront() + "/admin/login?token=" + url.QueryEscape(token), "ops": p.ops(),
		"mail": p.storefront() + "/dev/mail", "data": p.dir.Path(), "version": p.Version,
	}
	if p.doubles != nil {
		where["stripe"], where["paypal"] = p.doubles.stripe.URL, p.doubles.paypal.URL
	}
	if o.JSON {
		return json.NewEncoder(p.Stdout).Encode(where)
	}
	customer := ""
	if !o.Empty {
		customer = fmt.Sprintf("\n  Customer     %s, password %s", demoCustomerEmail, demoCustomerPassword)
	}
	_, err = fmt.Fprintf(p.Stdout, `
  %s is open.

  Storefront   %s
  Admin        %s
               (this link signs in once, within an hour)
  Mails        %s
  Metrics      %s/metrics%s
  Data         %s

  Pay at the checkout by card, PayPal or test card: no money moves. Ctrl-C closes the shop; the data stays.

`, p.cfg.Shop.Name, where["storefront"], where["admin"], where["mail"], where["ops"], customer, where["data"])
	return err
}

// Migrate changes the schema: direction is up, down, or status, which prints what is applied.
func (p Program) Migrate(ctx context.Context, direction, data string) error {
	cfg, _, err := p.toolConfig(data)
	if err != nil {
		return err
	}
	switch direction {
	case "up":
		if err := migrate.Up(ctx, cfg.Database.URL.Reveal()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.Stdout, "The schema is up to date.")
		return err
	case "down":
		return migrate.Down(ctx, cfg.Database.URL.Reveal())
	}
	return p.migrationStatus(ctx, cfg)
}

// toolConfig is the configuration of a command that works beside a shop: from the environment, or of the demo that runs
// in the data directory.
func (p Program) toolConfig(data string) (config.Config, string, error) {
	environ := p.Environ
	if !named(environ, "SHOPD_DATABASE_URL") {
		running, dir, err := findRunning(data)
		if err != nil {
			return config.Config{}, "", err
		}
		data = dir
		environ = append(append([]string{}, environ...), "SHOPD_ENV=demo", "SHOPD_DATABASE_URL="+running.DatabaseURL, "SHOPD_REDIS_URL="+running.RedisURL,
			"SHOPD_RABBITMQ_URL="+running.RabbitMQURL, "SHOPD_ELASTICSEARCH_URL="+running.SearchURL, "SHOPD_MASTER_KEY="+running.MasterKey,
			"SHOPD_BASE_URL="+running.Storefront)
		environ = append(environ, running.Gateways...)
	}
	cfg, err := config.LoadWithFile(environ, config.Production, ".env")
	if err == nil && !cfg.Profile.Strict() && cfg.Keys.Master == "" {
		cfg.Keys.Master = testMasterKey
	}
	if data == "" {
		data = cfg.Shop.DataDir
	}
	if cfg.HTTP.BaseURL == nil {
		_, port, _ := net.SplitHostPort(cfg.HTTP.Addr) // checked by the configuration
		cfg.HTTP.BaseURL = &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}
	}
	return cfg, data, err
}

func named(environ []string, setting string) bool {
	for _, e := range environ {
		if len(e) > len(setting)+1 && e[:len(setting)+1] == setting+"=" {
			return true
		}
	}
	return false
}

// OpenTool opens a shop for a command that works beside running ones: it handles no events and opens no search index
// of another process.
func (p Program) OpenTool(ctx context.Context, data string) (*Shop, error) {
	cfg, data, err := p.toolConfig(data)
	if err != nil {
		return nil, err
	}
	in, err := NewInstruments(ctx, cfg, p.Version, p.Stderr)
	if err != nil {
		return nil, err
	}
	if data == "" {
		data = filepath.Join(os.TempDir(), "shopd")
	}
	return Open(ctx, cfg, Options{Version: p.Version, DataDir: data, Instruments: in, Beside: true, Media: bundledPictures})
}
