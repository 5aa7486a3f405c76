package app

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// canaries are words that stand nowhere but in what people typed. What is found of them was kept readable.
var canaries = map[string]string{
	"mail": "canaryqmail", "name": "Canaryqname", "street": "Canaryqstreet", "second line": "Canaryqline", "city": "Canaryqcity", "code": "CQ10119",
	"phone": "99887766554", "reason to cancel": "canaryqreason", "note of a return": "canaryqreturn", "note of staff": "canaryqstaff", "note of an edit": "canaryqedit",
	"other street": "Canaryqother", "reason of a refund": "canaryqrefund",
}

func canaryAddress(street string) map[string]any {
	return map[string]any{
		"name": canaries["name"], "line1": street, "line2": canaries["second line"], "city": canaries["city"], "postal_code": canaries["code"], "country": "DE",
		"phone": "+49 " + canaries["phone"],
	}
}

// canaryOrder buys as somebody whose every word is a canary, and does with the order all that people can do with words.
func canaryOrder(t *testing.T, s *store, c *client, a, b article) *bought {
	t.Helper()
	x := &bought{store: s, a: a, b: b, staff: s.keyWith(t, "orders:*"), buyer: newBuyer(c).add(a, 3).add(b, 1)}
	order := func() string {
		body := map[string]any{"email": canaries["mail"] + "@example.com", "shipping": canaryAddress(canaries["street"]), "billing": canaryAddress(canaries["street"])}
		x.buyer.do(http.MethodPut, x.buyer.path+"/address", body, "Idempotency-Key", newKey()).is(http.StatusOK)
		x.buyer.do(http.MethodPut, x.buyer.path+"/shipping-method", map[string]string{"shipping_method_id": "ship_standard"}).is(http.StatusOK)
		var o orderJSON
		x.buyer.complete("test_ok").is(http.StatusCreated).decode(&o)
		return o.ID
	}
	cancelled := order()
	x.buyer.post(storeAPI+"/orders/"+cancelled+"/cancel", map[string]string{"reason": canaries["reason to cancel"]}, "Idempotency-Key", newKey()).is(http.StatusOK)
	x.id = order()
	x.read(t)
	x.buyer.do(http.MethodPut, storeAPI+"/orders/"+x.id+"/address", map[string]any{"shipping": canaryAddress(canaries["other street"])}).is(http.StatusOK)
	x.does("/notes", map[string]string{"note": canaries["note of staff"]}).is(http.StatusCreated)
	x.does("/edits", map[string]any{"note": canaries["note of an edit"], "lines": []any{map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 2}}}).is(http.StatusOK)
	x.does("/refunds", map[string]any{"amount": moneyJSON{10, "EUR"}, "reason": canaries["reason of a refund"]}).is(http.StatusCreated)
	x.sends(t)
	x.buyer.post(storeAPI+"/orders/"+x.id+"/returns", map[string]any{
		"note": canaries["note of a return"], "lines": []any{map[string]any{"line_id": x.now.Lines[0].ID, "quantity": 1}},
	}, "Idempotency-Key", newKey()).is(http.StatusCreated).decode(&x.now)
	x.does("/returns/"+x.now.Returns[0].ID+"/approve", map[string]string{"note": canaries["note of staff"]}).is(http.StatusOK)
	within(t, soon, func() error {
		if n := len(x.read(t).Documents); n < 3 {
			return fmt.Errorf("%d documents", n)
		}
		return nil
	})
	return x
}

// TestNothingThatPeopleTypedIsReadableAnywhere plants words and looks for them in every table, in Redis, in what went over
// the exchange and in the log (I21). Then the people are erased: what is left of them is unreadable, also in a backup of
// the rows that is put back, and the money is still there (I22).
func TestNothingThatPeopleTypedIsReadableAnywhere(t *testing.T) {
	t.Parallel()
	p := onServices(t)
	heard := listenTo(t, p.rabbitMQURL)
	logs := &shopLog{}
	s := openStoreLogging(t, p, logs, "SHOPD_LOG_LEVEL=debug")
	both := s.stockMany(t, 2, 1000, 20)
	customer := newCustomer(t, s, canaries["mail"]+"@example.com")
	mine := canaryOrder(t, s, customer.client, both[0], both[1])
	guest := canaryOrder(t, s, s.guest(t), both[0], both[1])
	require.Equal(t, canaries["note of a return"], mine.read(t).Returns[0].Note, "its people can read it")
	require.Equal(t, canaries["other street"], guest.read(t).ShippingAddress.Line1)

	t.Run("in the database", func(t *testing.T) { s.holdsNoCanary(t) })
	t.Run("in Redis", func(t *testing.T) {
		for key, value := range everythingIn(t, s.redisURL) {
			noCanary(t, "Redis "+key, key+value)
		}
	})
	t.Run("in events", func(t *testing.T) {
		within(t, soon, func() error {
			if len(heard.of(mine.id)) == 0 {
				return fmt.Errorf("nothing was heard")
			}
			return nil
		})
		for _, order := range []string{mine.id, guest.id} {
			for kind, body := range heard.of(order) {
				noCanary(t, kind, string(body))
			}
		}
	})
	t.Run("in the log", func(t *testing.T) {
		logs.mu.Lock()
		defer logs.mu.Unlock()
		for _, line := range logs.lines {
			noCanary(t, "log", line)
		}
	})

	t.Run("after the customer is erased", func(t *testing.T) {
		backup := s.backedUp(t)
		charged := s.number(t, `select sum(captured)::bigint from public_views.v_payments`)
		ledger := s.number(t, `select count(*) from public_views.v_ledger`)
		customer.do(http.MethodDelete, storeAPI+"/me", map[string]string{"password": testPassword}).is(http.StatusNoContent)
		require.Empty(t, s.staffSees(t, mine).Email, "at once: the key is gone")
		within(t, soon, func() error {
			if n := s.number(t, `select count(*) from orders.orders where customer_id is not null and (contact is not null or email_index is not null)`); n != 0 {
				return fmt.Errorf("%d orders", n)
			}
			return nil
		})
		s.erasedOf(t, mine)
		require.Equal(t, canaries["other street"], guest.read(t).ShippingAddress.Line1, "nobody else is")

		s.putBack(t, backup)
		s.erasedOf(t, mine)
		require.Equal(t, charged, s.number(t, `select sum(captured)::bigint from public_views.v_payments`), "the money stays")
		require.GreaterOrEqual(t, s.number(t, `select count(*) from public_views.v_ledger`), ledger)
	})

	t.Run("after the guest is forgotten", func(t *testing.T) {
		backup := s.backedUp(t)
		old := `update orders.orders set placed_at = placed_at - interval '4 years' where cart_id = $1`
		_, err := s.sql.Exec(t.Context(), old, guest.buyer.cart.ID)
		require.NoError(t, err)
		require.NoError(t, s.Orders.ForgetGuests(t.Context()))
		s.erasedOf(t, guest)
		s.putBack(t, backup)
		s.erasedOf(t, guest)
		require.Equal(t, int64(1), s.number(t, `select count(*) from public_views.v_orders where order_id = $1 and total > 0`, guest.id))
	})
}

// staffSees is an order as the shop's staff see it.
func (s *store) staffSees(t *testing.T, x *bought) orderAfter {
	t.Helper()
	var o orderAfter
	x.staff.on(t).get(x.admin("")).is(http.StatusOK).decode(&o)
	return o
}

// erasedOf fails when anybody can read anything of the people of an order, and when its figures are gone.
func (s *store) erasedOf(t *testing.T, x *bought) {
	t.Helper()
	o := s.staffSees(t, x)
	require.Empty(t, o.Email)
	require.Empty(t, o.ShippingAddress.Line1)
	require.Equal(t, x.now.Totals.Total, o.Totals.Total)
	require.Len(t, o.Lines, 2)
	staff := x.staff.on(t)
	for _, path := range []string{x.admin(""), x.admin("/timeline"), adminAPI + fmt.Sprintf("/orders?q=%d", o.Number)} {
		noCanary(t, path, string(staff.get(path).is(http.StatusOK).body))
	}
	staff.get(x.admin("/documents/invoice")).is(http.StatusOK)
}

func noCanary(t *testing.T, where, text string) {
	t.Helper()
	lower := strings.ToLower(text)
	for what, word := range canaries {
		require.NotContains(t, lower, strings.ToLower(word), "%s is readable in %s", what, where)
	}
}

// holdsNoCanary looks into every row of every table. Bytes are read as text where they are text.
func (s *store) holdsNoCanary(t *testing.T) {
	t.Helper()
	tables := s.rows(t, `
		select format('%I.%I', n.nspname, c.relname) as name
		from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema)'`)
	require.Greater(t, len(tables), 40)
	conn, err := s.sql.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), `set bytea_output = 'escape'`)
	require.NoError(t, err)
	seen := 0
	for _, table := range tables {
		name := table["name"].(string)
		rows, err := conn.Query(t.Context(), `select r::text from `+name+` as r`)
		require.NoError(t, err, name)
		for rows.Next() {
			var text string
			require.NoError(t, rows.Scan(&text))
			noCanary(t, name, text)
			seen++
		}
		require.NoError(t, rows.Err(), name)
	}
	require.Greater(t, seen, 100, "the tables were read")
}

// everythingIn reads all that a Redis database holds.
func everythingIn(t *testing.T, url string) map[string]string {
	t.Helper()
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	all := map[string]string{}
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		key := keys.Val()
		var value any
		switch client.Type(t.Context(), key).Val() {
		case "string":
			value = client.Get(t.Context(), key).Val()
		case "hash":
			value = client.HGetAll(t.Context(), key).Val()
		case "zset":
			value = client.ZRange(t.Context(), key, 0, -1).Val()
		case "set":
			value = client.SMembers(t.Context(), key).Val()
		case "list":
			value = client.LRange(t.Context(), key, 0, -1).Val()
		}
		all[key] = fmt.Sprint(value)
	}
	require.NoError(t, keys.Err())
	require.NotEmpty(t, all)
	return all
}

// sealedRow is a column of a row as a backup of the data has it, without the keys.
type sealedRow struct {
	table, column string
	id            any
	sealed        []byte
}

// backedUp takes a copy of everything that orders keep sealed.
func (s *store) backedUp(t *testing.T) (rows []sealedRow) {
	t.Helper()
	for _, c := range [][2]string{{"orders", "contact"}, {"carts", "contact"}, {"returns", "note"}, {"order_log", "note"}, {"documents", "buyer"}} {
		for _, row := range s.rows(t, `select id, `+c[1]+` as sealed from orders.`+c[0]+` where `+c[1]+` is not null`) {
			rows = append(rows, sealedRow{c[0], c[1], row["id"], row["sealed"].([]byte)})
		}
	}
	require.NotEmpty(t, rows)
	return rows
}

// putBack restores a backup of the data; the keys are those of today.
func (s *store) putBack(t *testing.T, rows []sealedRow) {
	t.Helper()
	for _, r := range rows {
		_, err := s.sql.Exec(t.Context(), `update orders.`+r.table+` set `+r.column+` = $2 where id = $1`, r.id, r.sealed)
		require.NoError(t, err)
	}
}
