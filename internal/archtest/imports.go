package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Domains are the parts of the shop. Each is a package of its own that knows none of the others.
var Domains = []string{"catalog", "inventory", "orders", "payments", "pricing", "recs", "users"}

// Violation is one broken rule.
type Violation struct {
	// Rule is the name of the rule.
	Rule string
	// Where is the package, or the file and line, that breaks it.
	Where string
	// What says what is wrong and what to do instead.
	What string
}

func (v Violation) String() string { return fmt.Sprintf("%s: %s (%s)", v.Where, v.What, v.Rule) }

// layer is a floor of the house.
type layer string

const (
	domain     layer = "domain"
	platform   layer = "platform"
	events     layer = "events"
	money      layer = "money"
	app        layer = "app"
	face       layer = "face"
	command    layer = "command"
	migrations layer = "migrations"
	sample     layer = "sample" // the sample shop's data, which faces are tried on
	other      layer = "other"
)

// place is where a package stands: its layer, and within it the name of the domain, face or platform package.
type place struct {
	layer layer
	name  string
}

func placeOf(path string) place {
	parts := strings.Split(path, "/")
	switch parts[0] {
	case "cmd":
		return place{command, ""}
	case "migrations":
		return place{migrations, ""}
	case "internal":
	default:
		return place{other, ""}
	}
	parts = append(parts, "", "")
	switch {
	case slices.Contains(Domains, parts[1]):
		return place{domain, parts[1]}
	case parts[1] == "storefront", parts[1] == "admin":
		return place{face, parts[1]}
	case parts[1] == "platform":
		return place{platform, parts[2]}
	case parts[1] == "events", parts[1] == "money", parts[1] == "app", parts[1] == "sample":
		return place{layer(parts[1]), ""}
	default:
		return place{other, ""}
	}
}

// importRule says what one layer may import.
type importRule struct {
	name   string
	of     layer
	reason string
	allows func(from, to place) bool
}

var importRules = []importRule{
	{
		name: "domains-apart", of: domain,
		reason: "a domain declares what it needs in ports.go, and internal/app joins them",
		allows: func(from, to place) bool { return to.layer != domain || to == from },
	},
	{
		name: "domains-below-app", of: domain,
		reason: "domains are used by the application and the faces, and know nothing of them",
		allows: func(_, to place) bool {
			return slices.Contains([]layer{domain, platform, events, money}, to.layer)
		},
	},
	{
		name: "platform-knows-no-shop", of: platform,
		reason: "platform is plumbing that knows no shop word; only the outbox and the broker carry events",
		allows: func(from, to place) bool {
			switch to.layer {
			case platform, migrations:
				return true
			case events:
				return from.name == "outbox" || from.name == "broker"
			default:
				return false
			}
		},
	},
	{
		name: "events-and-money-stand-alone", of: events,
		reason: "the published language is plain structs",
		allows: func(_, to place) bool {
			return to.layer == events || to.layer == money || to == place{platform, "id"}
		},
	},
	{
		name: "events-and-money-stand-alone", of: money,
		reason: "money is arithmetic",
		allows: func(_, to place) bool { return to.layer == money },
	},
	{
		name: "app-below-commands", of: app,
		reason: "the application is started by commands",
		allows: func(_, to place) bool { return to.layer != command },
	},
	{
		name: "faces-apart", of: face,
		reason: "a face shows domains; internal/app mounts it",
		allows: func(from, to place) bool {
			return to == from || slices.Contains([]layer{domain, platform, events, money, sample}, to.layer)
		},
	},
	{
		name: "commands-are-thin", of: command,
		reason: "a command reads its flags and settings and calls internal/app",
		allows: func(_, to place) bool {
			return to.layer == command || to.layer == app || to == place{platform, "config"}
		},
	},
	{
		name: "migrations-stand-alone", of: migrations,
		reason: "migrations are SQL files",
		allows: func(_, to place) bool { return to.layer == migrations },
	},
}

// CheckImports applies the rules on who imports whom, tests included.
func CheckImports(packages []Package) []Violation {
	var found []Violation
	for _, p := range packages {
		from := placeOf(p.Path)
		imports := slices.Concat(p.Imports, withoutTestenv(p.TestImports))
		slices.Sort(imports)
		imports = slices.Compact(imports)
		for _, imported := range imports {
			for _, rule := range importRules {
				if rule.of == from.layer && !rule.allows(from, placeOf(imported)) {
					found = append(found, Violation{rule.name, p.Path, "must not import " + imported + ": " + rule.reason})
				}
			}
		}
		if several := domainsOf(imports); len(several) > 1 && from.layer == other {
			found = append(found, Violation{
				"one-place-joins-domains", p.Path,
				"must not join " + strings.Join(several, " and ") + ": only app, storefront and admin know several domains",
			})
		}
		found = append(found, checkName(p)...)
	}
	return found
}

// withoutTestenv drops the one platform package that is for every test.
func withoutTestenv(imports []string) []string {
	return slices.DeleteFunc(slices.Clone(imports), func(path string) bool {
		return placeOf(path) == place{platform, "testenv"}
	})
}

func domainsOf(imports []string) []string {
	var names []string
	for _, path := range imports {
		if to := placeOf(path); to.layer == domain {
			names = append(names, to.name)
		}
	}
	return slices.Compact(names)
}

func checkName(p Package) []Violation {
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "models"}, p.Name) {
		return []Violation{{"packages-say-what-they-do", p.Path, "a package is named for what it does, not " + p.Name}}
	}
	return nil
}
