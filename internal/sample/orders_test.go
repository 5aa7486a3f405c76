package sample_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"shopd/internal/sample"
)

func TestCustomersAreInventedAndDistinct(t *testing.T) {
	t.Parallel()
	const n = 2000
	all := sample.Customers(n)
	require.Len(t, all, n)
	require.Equal(t, all[:10], sample.Customers(10), "a customer is the same whatever the number")
	mails, countries := map[string]bool{}, map[string]int{}
	for _, c := range all {
		require.Regexp(t, `^[a-z.]+\.\d+@example\.(com|org|net)$`, c.Email)
		require.False(t, mails[c.Email])
		mails[c.Email] = true
		require.NotEmpty(t, c.Name)
		require.NotEmpty(t, c.Address.Line1)
		require.NotEmpty(t, c.Address.City)
		require.NotContains(t, c.Address.PostalCode, "#")
		if c.Address.Phone != "" {
			require.Regexp(t, `^\+1\d{3}55501\d\d$`, c.Address.Phone)
		}
		countries[c.Address.Country]++
	}
	require.Greater(t, countries["US"], n/2)
	require.GreaterOrEqual(t, len(countries), 6)
}

var plan = sample.OrderPlan{
	Seed: 7, Count: 6000, Customers: 800,
	From: time.Date(2025, 4, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 31, 15, 0, 0, 0, time.UTC),
}

func orders(t *testing.T, p sample.OrderPlan) []sample.Order {
	t.Helper()
	seq, err := sample.Orders(p)
	require.NoError(t, err)
	return slices.Collect(seq)
}

func TestOrdersAreTheSameForTheSamePlan(t *testing.T) {
	t.Parallel()
	small := plan
	small.Count = 300
	first := orders(t, small)
	again := orders(t, small)
	require.Equal(t, first, again)
	other := small
	other.Seed++
	require.NotEqual(t, first, orders(t, other))
}

func TestOrdersHoldTogether(t *testing.T) {
	t.Parallel()
	type kind struct{ digital bool }
	known := map[string]kind{}
	for _, p := range products(t) {
		for _, v := range p.Variants {
			known[v.SKU] = kind{p.Type == sample.Digital}
		}
	}
	all := orders(t, plan)
	require.Len(t, all, plan.Count)
	last := plan.From
	statuses := map[string]int{}
	for _, o := range all {
		require.False(t, o.PlacedAt.Before(last), "the oldest first")
		last = o.PlacedAt
		require.True(t, o.PlacedAt.Before(plan.To))
		require.True(t, o.Customer >= 0 && o.Customer < plan.Customers)
		require.NotEmpty(t, o.Lines)
		seen, physical := map[string]bool{}, false
		for _, l := range o.Lines {
			k, ok := known[l.SKU]
			require.True(t, ok, l.SKU)
			require.False(t, seen[l.SKU], "one line a variant")
			seen[l.SKU] = true
			require.True(t, 1 <= l.Quantity && l.Quantity <= 3)
			physical = physical || !k.digital
		}
		require.Equal(t, physical, o.Shipping != "")
		require.Equal(t, o.Status == sample.StatusFulfilled, !o.FulfilledAt.IsZero())
		require.Equal(t, o.Status == sample.StatusCancelled, !o.CancelledAt.IsZero())
		for _, at := range []time.Time{o.FulfilledAt, o.CancelledAt} {
			require.True(t, at.IsZero() || at.After(o.PlacedAt) && at.Before(plan.To))
		}
		statuses[o.Status]++
	}
	require.InDelta(t, 0.05, float64(statuses[sample.StatusCancelled])/float64(plan.Count), 0.02)
	require.Greater(t, statuses[sample.StatusFulfilled], plan.Count*85/100)
	require.NotZero(t, statuses[sample.StatusPaid], "the newest are not fulfilled yet")
}

func TestOrdersHaveAShapePeopleWouldBelieve(t *testing.T) {
	t.Parallel()
	category := map[string]string{}
	product := map[string]string{}
	for _, p := range products(t) {
		for _, v := range p.Variants {
			category[v.SKU], product[v.SKU] = p.Category, p.SKU
		}
	}
	evening, night, several, tops, outfits := 0, 0, 0, 0, 0
	sold, buyers := map[string]int{}, map[int]int{}
	for _, o := range orders(t, plan) {
		switch o.PlacedAt.UTC().Hour() { // evening and night on the east coast
		case 0, 1, 2:
			evening++
		case 7, 8, 9:
			night++
		}
		buyers[o.Customer]++
		if len(o.Lines) > 1 {
			several++
		}
		top, bottom := false, false
		for _, l := range o.Lines {
			sold[product[l.SKU]] += l.Quantity
			top = top || strings.Contains(category[l.SKU], "> Tops")
			bottom = bottom || strings.Contains(category[l.SKU], "> Bottoms")
		}
		if top {
			tops++
			if bottom {
				outfits++
			}
		}
	}
	require.Greater(t, evening, 5*night, "people sleep")
	require.InDelta(t, 0.45, float64(several)/float64(plan.Count), 0.1)
	require.Greater(t, float64(outfits)/float64(tops), 0.2, "outfits are bought together")

	counts := make([]int, 0, len(sold))
	units := 0
	for _, n := range sold {
		counts, units = append(counts, n), units+n
	}
	slices.Sort(counts)
	slices.Reverse(counts)
	best := 0
	for _, n := range counts[:len(counts)/10] {
		best += n
	}
	require.Greater(t, float64(best)/float64(units), 0.3, "a tenth of the products sell much")
	require.Greater(t, len(sold), 240, "nearly everything is sold now and then")
	require.Greater(t, slices.Max(values(buyers)), 20, "some customers come back often")
}

func values(m map[int]int) []int {
	out := make([]int, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestAPlanThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sample.OrderPlan){
		"no customers":   func(p *sample.OrderPlan) { p.Customers = 0 },
		"less than none": func(p *sample.OrderPlan) { p.Count = -1 },
		"no time":        func(p *sample.OrderPlan) { p.To = p.From },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan
			change(&p)
			_, err := sample.Orders(p)
			require.Error(t, err)
		})
	}
}
