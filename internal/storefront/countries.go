package storefront

import (
	_ "embed"
	"strings"
)

// The countries of ISO 3166-1 by name, and the states and provinces of those where an address and its taxes need one.
// A line is a code, a blank and a name.
var (
	//go:embed data/countries.txt
	countriesText string
	//go:embed data/regions.txt
	regionsText string
)

type countryRow struct{ Code, Name string }

// regionGroup is the part of the region list that belongs to one country. Codes are "US-CA".
type regionGroup struct {
	Country, Name string
	Regions       []countryRow
}

var (
	countryRows  = parseRows(countriesText)
	countryNames = namesOf(countryRows)
	regionGroups = groupRegions(parseRows(regionsText))
)

func parseRows(text string) []countryRow {
	var rows []countryRow
	for line := range strings.Lines(text) {
		if code, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			rows = append(rows, countryRow{Code: code, Name: name})
		}
	}
	return rows
}

func namesOf(rows []countryRow) map[string]string {
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		names[row.Code] = row.Name
	}
	return names
}

func groupRegions(rows []countryRow) []regionGroup {
	var groups []regionGroup
	for _, row := range rows {
		country, _, _ := strings.Cut(row.Code, "-")
		if len(groups) == 0 || groups[len(groups)-1].Country != country {
			groups = append(groups, regionGroup{Country: country, Name: countryNames[country]})
		}
		last := &groups[len(groups)-1]
		last.Regions = append(last.Regions, row)
	}
	return groups
}

// countryName is the name of a country, empty for a code that ISO 3166-1 does not have.
func countryName(code string) string { return countryNames[code] }

// regionsOf are the states or provinces of a country by their short code, nil for a country that needs none.
func regionsOf(country string) map[string]string {
	for _, g := range regionGroups {
		if g.Country == country {
			regions := make(map[string]string, len(g.Regions))
			for _, row := range g.Regions {
				regions[strings.TrimPrefix(row.Code, country+"-")] = row.Name
			}
			return regions
		}
	}
	return nil
}
