package sim_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"encoding/json"

	"github.com/stretchr/testify/require"

	"shopd/internal/pricing/sim"
)

// call posts body and returns the status and the answer.
func call(t *testing.T, server *httptest.Server, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := server.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(text, &answer), "%s", text)
	return resp.StatusCode, answer
}

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(sim.New().Handler())
	t.Cleanup(server.Close)
	return server
}

func TestRunFromHistoryToOutcome(t *testing.T) {
	t.Parallel()
	server := serve(t)
	status, _ := call(t, server, "/reset", `{"run":1}`)
	require.Equal(t, 200, status)
	var rows []string
	for day := -30; day < 0; day++ {
		rows = append(rows, fmt.Sprintf(`{"day":%d,"sku":"A","category":"c","cost":5,"list_price":10,"price":%.2f,"competitor_price":10,"event":0,"day_of_week":%d,"units":%d}`,
			day, 9+float64(-day%5)/2, (day+700)%7, 8-(-day%5)))
	}
	status, answer := call(t, server, "/history", `{"rows":[`+strings.Join(rows, ",")+`]}`)
	require.Equal(t, 200, status, answer)
	ask := `{"day":0,"items":[
		{"sku":"A","category":"c","cost":5,"list_price":10,"last_price":10,"competitor_price":10,"stock":null,"days_left":120,"salvage":null,"event":false,"day_of_week":0},
		{"sku":"NEW","category":"c","cost":5,"list_price":10,"last_price":null,"competitor_price":null,"stock":40,"days_left":20,"salvage":1,"event":1,"day_of_week":0}]}`
	status, answer = call(t, server, "/prices", ask)
	require.Equal(t, 200, status, answer)
	prices := answer["prices"].(map[string]any)
	require.Len(t, prices, 2)
	status, answer = call(t, server, "/outcomes", `{"day":0,"items":[{"sku":"A","price":9.5,"units":3,"stocked_out":false},{"sku":"NEW","price":9,"units":2,"stocked_out":true}]}`)
	require.Equal(t, 200, status, answer)
	status, answer = call(t, server, "/outcomes", `{"day":1,"items":[{"sku":"A","price":9.5,"units":3}]}`)
	require.Equal(t, 400, status)
	require.Contains(t, answer["detail"], "no price of A was asked for on day 1")
	_, _ = call(t, server, "/reset", `{"run":2}`)
	status, _ = call(t, server, "/outcomes", `{"day":0,"items":[{"sku":"A","price":9.5,"units":3}]}`)
	require.Equal(t, 400, status, "a new run knows nothing of the last one")
}

func TestPricesStayWithinTheRules(t *testing.T) {
	t.Parallel()
	server := serve(t)
	dice := rand.New(rand.NewPCG(4, 2))
	for round := range 15 {
		var items []string
		type bounds struct{ low, high float64 }
		want := map[string]bounds{}
		for n := range 40 {
			sku := fmt.Sprintf("R%d-%d", round, n)
			unit := math.Exp(6*dice.Float64() - 1)
			price := math.Round(unit*(0.6+1.2*dice.Float64())*100) / 100
			cost := math.Round(price*(0.3+0.6*dice.Float64())*100) / 100
			listed := math.Round(price*(0.6+0.9*dice.Float64())*100) / 100
			salvage, floor := "null", cost
			if dice.IntN(3) == 0 {
				floor = math.Round(cost*50) / 100
				salvage = fmt.Sprint(floor)
			}
			if listed <= 0 || price <= 0 {
				continue
			}
			items = append(items, fmt.Sprintf(`{"sku":%q,"category":"c","cost":%v,"list_price":%v,"last_price":%v,"competitor_price":%v,"stock":%d,"days_left":%d,"salvage":%s,"event":false,"day_of_week":%d}`,
				sku, cost, listed, price, math.Exp(8*dice.NormFloat64()), dice.IntN(500), 1+dice.IntN(100), salvage, dice.IntN(7)))
			want[sku] = bounds{max(floor*1.02, price*0.75), min(2*listed, price*1.25)}
		}
		status, answer := call(t, server, "/prices", fmt.Sprintf(`{"day":%d,"items":[%s]}`, round, strings.Join(items, ",")))
		require.Equal(t, 200, status, answer)
		for sku, b := range want {
			got := answer["prices"].(map[string]any)[sku].(float64)
			require.GreaterOrEqual(t, got, b.low-1e-6, sku)
			if math.Ceil(b.low*100-1e-6)/100 <= b.high {
				require.LessOrEqual(t, got, b.high+1e-6, sku)
			}
			require.InDelta(t, math.Round(got*100), got*100, 1e-6, "whole cents")
		}
	}
}

func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	server := serve(t)
	for name, c := range map[string]struct{ path, body, says string }{
		"no JSON":         {"/prices", `{`, "unexpected EOF"},
		"no sku":          {"/prices", `{"day":0,"items":[{"list_price":1,"cost":1}]}`, "a sku is missing"},
		"no list price":   {"/prices", `{"day":0,"items":[{"sku":"L","cost":1}]}`, "list_price of L must be above 0"},
		"negative cost":   {"/prices", `{"day":0,"items":[{"sku":"A","cost":-1,"list_price":3}]}`, "cost must be at least 0"},
		"free in history": {"/history", `{"rows":[{"sku":"A","list_price":3,"price":0}]}`, "rows/0: price must be above 0"},
		"minus one sold":  {"/history", `{"rows":[{"sku":"A","list_price":3,"price":1,"units":-1}]}`, "units at least 0"},
		"an odd truth":    {"/history", `{"rows":[{"sku":"A","list_price":3,"price":1,"event":7}]}`, "7 is neither true, false, 0 nor 1"},
		"never asked":     {"/outcomes", `{"day":0,"items":[{"sku":"B","price":1,"units":1}]}`, "no price of B was asked for"},
	} {
		status, answer := call(t, server, c.path, c.body)
		require.Equal(t, 400, status, name)
		require.Contains(t, answer["detail"], c.says, name)
	}
}
