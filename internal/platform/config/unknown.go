package config

import (
	"regexp"
	"strings"
)

// notSettings are names beginning with SHOPD_ that somebody else reads: the tests' services, and the variables that
// Kubernetes sets in every container when a Service is called shopd or shopd-something.
var notSettings = regexp.MustCompile(`^SHOPD_(TEST_.*|SERVICES_DIR|(.*_)?SERVICE_(HOST|PORT(_.*)?)|(.*_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// reportUnknown refuses names that no setting has: a misspelt one would silently leave its default in force.
func reportUnknown(vars map[string]string, found *Error) {
	known := Describe()
	for name := range vars {
		if settingNamed(name).Name != "" || notSettings.MatchString(name) {
			continue
		}
		remedy := "remove it; shopd doctor lists every setting"
		if near := nearest(name, known); near != "" {
			remedy = "did you mean " + near + "?"
		}
		found.add(name, "is not a setting of shopd", remedy)
	}
}

// nearest is the setting whose name differs least from name; empty when none is near.
func nearest(name string, known []Setting) string {
	name = strings.TrimPrefix(name, "SHOPD_")
	best, bestDistance := "", len(name)/3+2
	for _, s := range known {
		if d := distance(name, strings.TrimPrefix(s.Name, "SHOPD_")); d < bestDistance {
			best, bestDistance = s.Name, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two ASCII words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
