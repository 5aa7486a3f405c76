package archtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"shopd/internal/archtest"
	"shopd/internal/platform/testenv"
)

// examples are the open statements as the program fills them in, all conditions at once and each order once; that the
// program does fill them in like this is shown by the tests of the lists in internal/app.
var examples = map[string][]string{
	"internal/orders list": {`
select o.id, o.number, o.status, o.cart_id, coalesce(o.customer_id, ''), o.contact, o.currency, o.total, o.pieces, o.placed_at,
    coalesce((select l.image from orders.order_lines as l where l.order_id = o.id order by l.position limit 1), '')
from orders.orders as o
where true and o.customer_id = $1 and o.status = $2 and o.number = $3 and o.email_index = $4 and (o.placed_at, o.id) < ($5, $6)
order by o.placed_at desc, o.id desc
limit 25`},
	"internal/catalog adminList": {`
select p.id
from catalog.products as p
where true and p.status = $1
    and (p.title ilike $2 or p.slug ilike $2 or exists (select from catalog.variants as v where v.product_id = p.id and v.sku ilike $2))
    and (p.updated_at, p.id) < ($3, $4)
order by p.updated_at desc, p.id desc
limit 25`},
	"internal/catalog list": {
		listing("created_at", "timestamptz", "<", "desc"), listing("price", "bigint", ">", "asc"), listing("price", "bigint", "<", "desc"),
		listing("title", "text", ">", "asc"), listing("popularity", "float8", "<", "desc"),
	},
}

func listing(column, kind, compare, direction string) string {
	return fmt.Sprintf(`
select p.card, l.product_id, l.%[1]s::text
from catalog.listings as l
join catalog.products as p on p.id = l.product_id
where l.category_id = $1 and (l.%[1]s, l.product_id) %[3]s ($2::text::%[2]s, $3)
order by l.%[1]s %[4]s, l.product_id %[4]s
limit 25`, column, kind, compare, direction)
}

// rolesOf are the roles that a package has connections of: each statement must hold under one of them. None is the owner
// of the database.
func rolesOf(pkg string) []string {
	parts := strings.Split(pkg, "/")
	switch {
	case parts[1] == "app":
		return []string{"shopd_relay", "shopd_catalog"} // it has no schema, and looks after events and the index
	case parts[1] != "platform":
		return []string{"shopd_" + parts[1]}
	}
	switch parts[2] {
	case "outbox", "broker", "idempotency":
		return []string{"shopd_relay"}
	case "jobs", "mail":
		return []string{"shopd_jobs"}
	}
	return []string{"none"} // the owner's own rights: migrations and what looks at them
}

// forTests are packages that only tests use: their statements run in those.
func forTests(pkg string) bool {
	return strings.HasSuffix(pkg, "test") || strings.HasSuffix(pkg, "testenv")
}

func TestEveryStatementCanBePrepared(t *testing.T) {
	t.Parallel()
	found := statements(t, "../..")
	seen := map[string]bool{}
	checker := newPreparer(t)
	prepared := 0
	for _, s := range found {
		if !s.Open {
			require.NoError(t, checker.prepare(rolesOf(s.Package), s.SQL), "%s\n%s", s.Where, s.SQL)
			prepared++
			continue
		}
		name := s.Package + " " + s.Func
		seen[name] = true
		require.Contains(t, examples, name, "%s is put together by the running program: give examples of what it becomes", s.Where)
		for _, sql := range examples[name] {
			require.NoError(t, checker.prepare(rolesOf(s.Package), sql), "%s\n%s", s.Where, sql)
			prepared++
		}
	}
	for name := range examples {
		require.True(t, seen[name], "there are examples of %s, which is not there any more", name)
	}
	require.Greater(t, prepared, 100, "the whole module was looked at")
	t.Logf("%d statements", prepared)
}

func TestABrokenStatementGoesRed(t *testing.T) {
	t.Parallel()
	checker := newPreparer(t)
	got := map[string]string{}
	for _, s := range statements(t, "testdata/statements") {
		switch err := checker.prepare(rolesOf(s.Package), s.SQL); {
		case s.Open:
			got[s.Func] = "open"
		case err != nil:
			got[s.Func] = err.Error()
		default:
			got[s.Func] += "fine;"
		}
	}
	require.Equal(t, map[string]string{
		"fine":           "fine;",
		"joinedWith":     "fine;fine;",
		"announced":      "fine;",
		"misspelt":       `column "totall" does not exist`,
		"acrossDomains":  "permission denied for schema catalog",
		"deepInside":     "permission denied for schema catalog",
		"withoutRights":  "permission denied for table outbox",
		"wrongArguments": `operator does not exist: bigint = text`,
		"dynamic":        "open",
	}, got)
}

func TestSQLThatIsNoPartOfAStatementIsAnError(t *testing.T) {
	t.Parallel()
	packages := load(t, "testdata/statements")
	i := slices.IndexFunc(packages, func(p archtest.Package) bool { return p.Path == "internal/catalog" })
	packages[i].Files = append(packages[i].Files, "lost.go.txt")
	_, err := archtest.FindStatements("broken", packages)
	require.ErrorContains(t, err, "lost.go.txt")
}

func statements(t *testing.T, dir string) []archtest.Statement {
	t.Helper()
	var own []archtest.Package
	for _, p := range load(t, dir) {
		if strings.HasPrefix(p.Path, "internal/") && !forTests(p.Path) {
			own = append(own, p)
		}
	}
	module := "shopd"
	if dir != "../.." {
		module = "broken"
	}
	found, err := archtest.FindStatements(module, own)
	require.NoError(t, err)
	return found
}

// preparer prepares statements on a migrated database under the rights of a role.
type preparer struct {
	conn *pgx.Conn
}

func newPreparer(t *testing.T) *preparer {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), testenv.Database(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return &preparer{conn}
}

// prepare returns the database's complaint about a statement. Planning it with null for every parameter also asks for
// the rights on its tables, which preparing alone does not; nothing is executed.
func (p *preparer) prepare(roles []string, sql string) (err error) {
	for _, role := range roles {
		if err = p.prepareAs(role, sql); err == nil {
			return nil
		}
	}
	return err
}

func (p *preparer) prepareAs(role, sql string) error {
	ctx := context.Background()
	if _, err := p.conn.Exec(ctx, "set role "+role); err != nil {
		return err
	}
	statement, err := p.conn.Prepare(ctx, "checked", sql)
	if err != nil {
		return complaint(err)
	}
	nulls := ""
	if n := len(statement.ParamOIDs); n > 0 {
		nulls = "(" + strings.TrimSuffix(strings.Repeat("null, ", n), ", ") + ")"
	}
	_, err = p.conn.Exec(ctx, "explain (costs off) execute checked"+nulls, pgx.QueryExecModeSimpleProtocol)
	return errors.Join(complaint(err), p.conn.Deallocate(ctx, "checked"))
}

// complaint is what the database says, without the codes around it.
func complaint(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return errors.New(said.Message)
	}
	return err
}
