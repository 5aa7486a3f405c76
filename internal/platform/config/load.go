package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	Setting string
	Wrong   string
	Remedy  string
}

// Error is everything that is wrong with the settings, in the order of their names.
type Error struct{ Problems []Problem }

// Error lists each problem on two lines.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d problem(s) with the settings:", len(e.Problems))
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s %s\n    → %s", p.Setting, p.Wrong, p.Remedy)
	}
	return b.String()
}

func (e *Error) add(setting, wrong, remedy string) {
	e.Problems = append(e.Problems, Problem{Setting: setting, Wrong: wrong, Remedy: remedy})
}

func (e *Error) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.Problems, func(a, b Problem) int { return strings.Compare(a.Setting, b.Setting) })
	return e
}

// Load reads the settings from environ (as os.Environ gives it). The profile is the command's own; SHOPD_ENV
// overrides it. An empty value is the same as none. The error is an *Error with every problem found.
func Load(environ []string, profile Profile) (Config, error) {
	vars := shopdVars(environ)
	found := &Error{}
	c := parse(vars, found)
	c.applyProfile(profile, vars)
	reportUnknown(vars, found)
	c.checkBounds(found)
	c.validate(profile, found)
	return c, found.orNil()
}

// LoadWithFile is Load with the settings of a .env file added where environ has none of that name. The file is read
// in the demo and development profiles only, and may be missing.
func LoadWithFile(environ []string, profile Profile, path string) (Config, error) {
	if named := shopdVars(environ)["SHOPD_ENV"]; named != "" {
		profile = Profile(named)
	}
	if profile != Demo && profile != Development {
		return Load(environ, profile)
	}
	fromFile, err := godotenv.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return Load(environ, profile)
	}
	if err != nil {
		return Config{}, &Error{Problems: []Problem{{
			Setting: path, Wrong: fmt.Sprintf("cannot be read: %v", err), Remedy: "write it as lines of NAME=value, or remove it",
		}}}
	}
	merged := make([]string, 0, len(fromFile)+len(environ))
	for name, value := range fromFile {
		merged = append(merged, name+"="+value)
	}
	return Load(append(merged, environ...), profile)
}

// shopdVars keeps what is ours and not empty; a later entry wins over an earlier one.
func shopdVars(environ []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || !strings.HasPrefix(name, "SHOPD_") {
			continue
		}
		if value = strings.TrimSpace(value); value != "" {
			vars[name] = value
		}
	}
	return vars
}

// parse fills a Config. A value that cannot be read is reported and its default used instead, so that the checks
// after it still run. Each bad value is found by reading it alone, because the library names fields, not settings.
func parse(vars map[string]string, found *Error) Config {
	var c Config
	if env.ParseWithOptions(&c, env.Options{Environment: vars}) == nil {
		return c
	}
	good := map[string]string{}
	for name, value := range vars {
		err := env.ParseWithOptions(&Config{}, env.Options{Environment: map[string]string{name: value}})
		if err == nil {
			good[name] = value
			continue
		}
		s := settingNamed(name)
		found.add(name, "cannot be read: "+cause(err, value, s.Secret), "give "+s.form())
	}
	c = Config{}
	if err := env.ParseWithOptions(&c, env.Options{Environment: good}); err != nil {
		found.add("SHOPD_*", err.Error(), "report this as a bug of shopd")
	}
	return c
}

// cause is the innermost reason why a value cannot be read, without the value when that is secret.
func cause(err error, value string, secret bool) string {
	if secret {
		return "it has the wrong form"
	}
	var parse env.ParseError
	if errors.As(err, &parse) && parse.Err != nil {
		return fmt.Sprintf("%q (%v)", value, parse.Err)
	}
	return fmt.Sprintf("%q", value)
}

// applyProfile settles what depends on the profile alone.
func (c *Config) applyProfile(command Profile, vars map[string]string) {
	if c.Profile == "" {
		c.Profile = command
	}
	strict := c.Profile.Strict()
	if c.Log.Format == "" {
		c.Log.Format = "text"
		if strict {
			c.Log.Format = "json"
		}
	}
	if vars["SHOPD_DRAIN_DELAY"] == "" && strict {
		c.Timers.DrainDelay = 3 * time.Second
	}
	if c.Mail.From == "" {
		host := "shop.example"
		if c.HTTP.BaseURL != nil && c.HTTP.BaseURL.Hostname() != "" {
			host = c.HTTP.BaseURL.Hostname()
		}
		c.Mail.From = "no-reply@" + host
	}
}
