package config

import (
	"fmt"
	"iter"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Setting describes one environment variable.
type Setting struct {
	Name    string
	Group   string // heading it belongs under; empty for the first
	Meaning string
	Default string
	Min     string // smallest value allowed, empty for no bound
	Max     string // largest value allowed, empty for no bound
	Secret  bool

	kind reflect.Type
}

// Describe lists every setting in the order of Config.
func Describe() []Setting {
	var all []Setting
	for setting := range settings(reflect.ValueOf(&Config{}).Elem()) {
		all = append(all, setting)
	}
	return all
}

// Markdown is the reference of all settings, the content of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nGenerated from `internal/platform/config`; `go test ./internal/platform/config -update` writes it again.\n\n" +
		"Every setting is an environment variable. In the demo and development profiles a `.env` file in the working\n" +
		"directory is read too; the environment wins. Durations are written like `90s`, `15m` or `24h`, lists with commas.\n" +
		"Problems are reported all at once when a process starts, and by `shopd doctor`.\n")
	group := "-"
	for _, s := range Describe() {
		if s.Group != group {
			group = s.Group
			heading := group
			if heading == "" {
				heading = "Profile"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| setting | meaning | default | bounds |\n|---|---|---|---|\n", heading)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.meaning(), code(s.Default), s.bounds())
	}
	return b.String()
}

func (s Setting) meaning() string {
	text := strings.ReplaceAll(s.Meaning, "|", `\|`)
	if s.Secret {
		text += " *Secret.*"
	}
	return text
}

func (s Setting) bounds() string {
	switch {
	case s.Min != "" && s.Max != "":
		return s.Min + " to " + s.Max
	case s.Min != "":
		return "at least " + s.Min
	case s.Max != "":
		return "at most " + s.Max
	}
	return ""
}

// form says what a value of the setting looks like.
func (s Setting) form() string {
	example := ""
	if s.Default != "" {
		example = ", such as " + s.Default
	}
	if s.kind == nil {
		return "another value"
	}
	list := ""
	kind := s.kind
	if kind.Kind() == reflect.Slice {
		list, kind = "a comma list of ", kind.Elem()
	}
	switch kind.String() {
	case "time.Duration":
		return list + "durations like 90s, 15m or 24h" + example
	case "netip.Prefix":
		return list + "networks like 10.0.0.0/8"
	case "*url.URL":
		return list + "a URL like https://shop.example"
	case "int", "int32":
		return list + "a whole number" + example
	case "float64":
		return list + "a number" + example
	}
	return list + "another value" + example
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

var secretType = reflect.TypeFor[Secret]()

// settings walks the fields of a Config (or of a part of one) with their values.
func settings(v reflect.Value) iter.Seq2[Setting, reflect.Value] {
	return func(yield func(Setting, reflect.Value) bool) { walk(v, "", yield) }
}

func walk(v reflect.Value, group string, yield func(Setting, reflect.Value) bool) bool {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, isSetting := field.Tag.Lookup("env")
		if !isSetting {
			if !walk(v.Field(i), field.Tag.Get("doc"), yield) {
				return false
			}
			continue
		}
		secret := field.Type == secretType || field.Type.Kind() == reflect.Slice && field.Type.Elem() == secretType
		setting := Setting{
			Name: name, Group: group, Meaning: field.Tag.Get("doc"), Default: field.Tag.Get("envDefault"),
			Min: field.Tag.Get("min"), Max: field.Tag.Get("max"), Secret: secret, kind: field.Type,
		}
		if !yield(setting, v.Field(i)) {
			return false
		}
	}
	return true
}

// settingNamed returns the setting with the given name; the zero one when there is none.
func settingNamed(name string) Setting {
	for setting := range settings(reflect.ValueOf(&Config{}).Elem()) {
		if setting.Name == name {
			return setting
		}
	}
	return Setting{}
}

// checkBounds holds every number and duration against the min and max written beside it.
func (c *Config) checkBounds(found *Error) {
	for setting, value := range settings(reflect.ValueOf(c).Elem()) {
		for _, v := range elements(value) {
			if setting.Min != "" && number(v) < bound(setting.Min) {
				found.add(setting.Name, fmt.Sprintf("is %v, which is too small", v), "give at least "+setting.Min)
			}
			if setting.Max != "" && number(v) > bound(setting.Max) {
				found.add(setting.Name, fmt.Sprintf("is %v, which is too large", v), "give at most "+setting.Max)
			}
		}
	}
}

func elements(v reflect.Value) []reflect.Value {
	if v.Kind() != reflect.Slice {
		return []reflect.Value{v}
	}
	all := make([]reflect.Value, v.Len())
	for i := range all {
		all[i] = v.Index(i)
	}
	return all
}

// number is the value of a bounded setting; durations in nanoseconds, which a float64 holds exactly up to 104 days.
func number(v reflect.Value) float64 {
	if v.CanFloat() {
		return v.Float()
	}
	return float64(v.Int())
}

// bound reads a min or max tag. The tags are constants of this package, and a test reads every one of them.
func bound(tag string) float64 {
	if d, err := time.ParseDuration(tag); err == nil {
		return float64(d)
	}
	n, err := strconv.ParseFloat(tag, 64)
	if err != nil {
		panic("config: bound " + tag + " is neither a duration nor a number")
	}
	return n
}
