package inventory

import (
	"time"

	"shopd/internal/platform/errs"
)

// Day is what moved of an article in a location on one day (UTC), and what was there at its end; today's end is the
// last time the history was filled. Signs are those of movements: sold and released are negative.
type Day struct {
	Day             time.Time
	Location        string
	Received        int64
	Sold            int64
	Returned        int64
	Adjusted        int64
	Transferred     int64
	Reserved        int64
	Released        int64
	ClosingOnHand   int64
	ClosingReserved int64
}

// DayTotal is what moved of all articles on one day.
type DayTotal struct {
	Day      time.Time
	Articles int64 // that moved
	Received int64
	Sold     int64
	Returned int64
	Adjusted int64
	Reserved int64
	Released int64
}

var errPeriod = errs.New(errs.Invalid, "invalid_parameter", "The period must begin before it ends and be no longer than 400 days.").
	WithFields(errs.Field{Pointer: "query/from", Code: "invalid_parameter", Detail: "at most 400 days before to"})

func checkPeriod(from, to time.Time) error {
	if to.Before(from) || to.Sub(from) > historyLimit*oneDay {
		return errPeriod
	}
	return nil
}

// everyDay puts the days in between on which nothing moved: what was there stayed. moved is sorted by day and location.
func everyDay(before, moved []Day, from, to time.Time) []Day {
	var all []Day
	last := before // the state of each location, in the order in which they appeared
	for day := from; !day.After(to); day = day.Add(oneDay) {
		for len(moved) > 0 && !moved[0].Day.After(day) {
			last = replaceDay(last, moved[0])
			moved = moved[1:]
		}
		for _, d := range last {
			if !d.Day.Equal(day) {
				d = Day{Day: day, Location: d.Location, ClosingOnHand: d.ClosingOnHand, ClosingReserved: d.ClosingReserved}
			}
			all = append(all, d)
		}
	}
	return all
}

func replaceDay(days []Day, d Day) []Day {
	for i := range days {
		if days[i].Location == d.Location {
			days[i] = d
			return days
		}
	}
	return append(days, d)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
