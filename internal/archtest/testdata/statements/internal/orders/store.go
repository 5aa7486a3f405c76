package orders

import "broken/internal/platform/outbox"

const columns = `id, number, total`

func fine(query func(string)) {
	query(`select ` + columns + ` from orders.orders where id = $1`)
}

const ordersSQL = `
select number
from orders.orders
where `

func joined(query func(string), byID bool) {
	condition := "cart_id = $1"
	if byID {
		condition = "id = $1"
	}
	where(query, condition)
}

func where(query func(string), condition string) {
	joinedWith(query, condition)
}

func joinedWith(query func(string), condition string) {
	query(ordersSQL + condition)
}

var announcedSQL = `
with moved as (
    update orders.orders
    set version = version + 1
    where id = $1
    returning id
), told as (` + outbox.InsertSQL(2) + `
)
select id from moved`

func announced(query func(string)) { query(announcedSQL) }

func misspelt(query func(string)) {
	query(`select totall from orders.orders`)
}

func acrossDomains(query func(string)) {
	const sql = `select id from catalog.products`
	query(sql)
}

func deepInside(query func(string)) {
	query(`with mine as (select id from orders.orders) select (select count(*) from catalog.products) from mine`)
}

func withoutRights(query func(string)) {
	query(`delete from platform.outbox where event_id = $1`)
}

func wrongArguments(query func(string)) {
	query(`update orders.orders set number = 1 where number = 'x'::text`)
}

func dynamic(query func(string), columns []string) {
	sql := `select ` + columns[0]
	sql += ` from orders.orders`
	query(sql)
}
