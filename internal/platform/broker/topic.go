package broker

import "strings"

// Hears reports whether the subscription is meant for events of type t.
func (s Subscription) Hears(t string) bool {
	for _, pattern := range s.Types {
		if matches(pattern, t) {
			return true
		}
	}
	return false
}

// matches is the rule of an AMQP topic exchange, with "#" only as the last word.
func matches(pattern, key string) bool {
	for {
		if pattern == "#" {
			return true
		}
		p, patternRest, patternMore := strings.Cut(pattern, ".")
		k, keyRest, keyMore := strings.Cut(key, ".")
		if p != "*" && p != k {
			return false
		}
		if !patternMore || !keyMore {
			return (!patternMore && !keyMore) || patternRest == "#"
		}
		pattern, key = patternRest, keyRest
	}
}
