package inventory

import (
	"context"
	"time"

	"shopd/internal/platform/errs"
)

// Period is from one day to another, both included. It is exported for huma, which fills it.
type Period struct {
	From string `query:"from" format:"date" doc:"First day (UTC); thirty days before to when left out."`
	To   string `query:"to" format:"date" doc:"Last day (UTC); today when left out."`
}

const defaultPeriod = 29 * oneDay

// days are the first and the last one.
func (p Period) days(now time.Time) (from, to time.Time, err error) {
	to = now.Truncate(oneDay)
	if p.To != "" {
		if to, err = time.Parse(time.DateOnly, p.To); err != nil {
			return from, to, errDay("query/to")
		}
	}
	from = to.Add(-defaultPeriod)
	if p.From != "" {
		if from, err = time.Parse(time.DateOnly, p.From); err != nil {
			return from, to, errDay("query/from")
		}
	}
	return from, to, nil
}

func errDay(pointer string) error {
	return errs.New(errs.Invalid, "invalid_parameter", "A day is written like 2026-05-31.").
		WithFields(errs.Field{Pointer: pointer, Code: "invalid_parameter", Detail: "like 2026-05-31"})
}

type historyInput struct {
	SKUPath
	Period
}

type dayBody struct {
	Day              string `json:"day"`
	Location         string `json:"location"`
	Received         int64  `json:"received"`
	Sold             int64  `json:"sold" doc:"Negative: it went."`
	Returned         int64  `json:"returned"`
	Adjusted         int64  `json:"adjusted"`
	Transferred      int64  `json:"transferred"`
	Reserved         int64  `json:"reserved"`
	Released         int64  `json:"released" doc:"Negative: it is promised no longer."`
	ClosingOnHand    int64  `json:"closing_on_hand" doc:"At the end of the day; today, when this was last brought up to date."`
	ClosingReserved  int64  `json:"closing_reserved"`
	ClosingAvailable int64  `json:"closing_available"`
}

type historyOutput struct {
	Body struct {
		Items []dayBody `json:"items" nullable:"false"`
	}
}

func (h adminHandlers) history(ctx context.Context, in *historyInput) (*historyOutput, error) {
	from, to, err := in.days(h.now())
	if err != nil {
		return nil, err
	}
	list, err := h.History(ctx, in.SKU, from, to)
	if err != nil {
		return nil, err
	}
	out := &historyOutput{}
	out.Body.Items = make([]dayBody, len(list))
	for i, d := range list {
		out.Body.Items[i] = dayBody{
			Day: d.Day.Format(time.DateOnly), Location: d.Location, Received: d.Received, Sold: d.Sold, Returned: d.Returned, Adjusted: d.Adjusted,
			Transferred: d.Transferred, Reserved: d.Reserved, Released: d.Released,
			ClosingOnHand: d.ClosingOnHand, ClosingReserved: d.ClosingReserved, ClosingAvailable: d.ClosingOnHand - d.ClosingReserved,
		}
	}
	return out, nil
}

type totalBody struct {
	Day      string `json:"day"`
	Articles int64  `json:"articles" doc:"How many different ones moved."`
	Received int64  `json:"received"`
	Sold     int64  `json:"sold" doc:"Negative: it went."`
	Returned int64  `json:"returned"`
	Adjusted int64  `json:"adjusted"`
	Reserved int64  `json:"reserved"`
	Released int64  `json:"released" doc:"Negative: it is promised no longer."`
}

type totalsOutput struct {
	Body struct {
		Items []totalBody `json:"items" nullable:"false"`
	}
}

func (h adminHandlers) totals(ctx context.Context, in *Period) (*totalsOutput, error) {
	from, to, err := in.days(h.now())
	if err != nil {
		return nil, err
	}
	list, err := h.Totals(ctx, from, to)
	if err != nil {
		return nil, err
	}
	out := &totalsOutput{}
	out.Body.Items = make([]totalBody, len(list))
	for i, d := range list {
		out.Body.Items[i] = totalBody{
			Day: d.Day.Format(time.DateOnly), Articles: d.Articles, Received: d.Received, Sold: d.Sold, Returned: d.Returned, Adjusted: d.Adjusted,
			Reserved: d.Reserved, Released: d.Released,
		}
	}
	return out, nil
}
