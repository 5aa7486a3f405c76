package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/jackc/pgx/v5"

	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/payments"
	"shopd/internal/platform/alert"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/platform/jobs"
	"shopd/internal/platform/mail"
	"shopd/internal/platform/ratelimit"
	"shopd/internal/pricing"
	"shopd/internal/recs"
	"shopd/internal/users"
)

// The types here join the ports of one domain to the service of another. Splitting a domain out replaces its adapter
// with a client.

// ordersCatalog is catalog as orders needs it.
type ordersCatalog struct{ *catalog.Service }

func (c ordersCatalog) Articles(ctx context.Context, refs []string) ([]orders.Article, error) {
	list, err := c.Sellables(ctx, refs)
	if err != nil {
		return nil, err
	}
	articles := make([]orders.Article, len(list))
	for i, s := range list {
		articles[i] = orders.Article{
			VariantID: string(s.VariantID), SKU: s.SKU, ProductID: string(s.ProductID), Slug: s.Slug, Title: s.Title, Options: s.Options,
			Image: s.Image, Purchasable: s.Purchasable, CategoryID: string(s.CategoryID),
		}
	}
	return articles, nil
}

func (c ordersCatalog) CategoryPath(ctx context.Context, categoryID string) ([]string, error) {
	path, err := c.Service.CategoryPath(ctx, catalog.CategoryID(categoryID))
	ids := make([]string, len(path))
	for i, id := range path {
		ids[i] = string(id)
	}
	return ids, err
}

// recsCatalog is catalog as recs needs it.
type recsCatalog struct{ *catalog.Service }

func (c recsCatalog) Items(ctx context.Context, productIDs []string) ([]recs.Item, error) {
	return recsItems(c.InStock(ctx, productIDs))
}

func (c recsCatalog) BySKU(ctx context.Context, skus []string) ([]recs.Item, error) {
	return recsItems(c.InStockBySKU(ctx, skus))
}

func (c recsCatalog) Popular(ctx context.Context, limit int) ([]recs.Item, error) {
	list, _, err := c.List(ctx, catalog.ListQuery{Sort: "-popularity", Limit: limit})
	return recsItems(list, err)
}

func recsItems(list []catalog.ListItem, err error) ([]recs.Item, error) {
	items := make([]recs.Item, len(list))
	for i, l := range list {
		items[i] = recs.Item{
			ID: string(l.ID), Slug: l.Slug, SKU: l.SKU, Title: l.Title, Brand: l.Brand, Price: l.Price, PriceMax: l.PriceMax, CompareAt: l.CompareAt, LowestBefore: l.LowestBefore,
			Image: (*recs.RecommendedImage)(l.Image), InStock: l.InStock, Rating: (*recs.RecommendedRating)(l.Rating),
		}
	}
	return items, err
}

// ordersPricing is pricing as orders needs it.
type ordersPricing struct{ *pricing.Service }

func (p ordersPricing) Show(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]orders.Price, error) {
	return orderPrices(p.Cached(ctx, currency, variantIDs))
}

func (p ordersPricing) Charge(ctx context.Context, currency money.Currency, variantIDs []string) (map[string]orders.Price, error) {
	return orderPrices(p.Current(ctx, currency, variantIDs))
}

func orderPrices(list map[string]pricing.Price, err error) (map[string]orders.Price, error) {
	prices := make(map[string]orders.Price, len(list))
	for id, p := range list {
		prices[id] = orders.Price{Amount: p.Amount, Version: p.Version}
	}
	return prices, err
}

func (p ordersPricing) Tax(ctx context.Context, r orders.TaxRequest) (orders.Tax, error) {
	t, err := p.Service.Tax(ctx, pricing.TaxRequest(r))
	return orders.Tax(t), err
}

// ordersPromotions is pricing as orders needs it for promotions.
type ordersPromotions struct{ *pricing.Service }

func (p ordersPromotions) CouponCode(text string) (string, bool) { return pricing.NormaliseCode(text) }

func (p ordersPromotions) Discounts(ctx context.Context, r orders.DiscountRequest) (orders.Discounts, error) {
	request := pricing.DiscountRequest{
		Currency: r.Currency, Lines: make([]pricing.DiscountLine, len(r.Lines)), Shipping: r.Shipping, ShippingMethod: r.ShippingMethod, Codes: r.Codes,
		Buyer: pricing.Buyer{CustomerID: r.CustomerID, Mail: r.Mail}, OrderID: r.OrderID, FirstOrder: r.FirstOrder,
	}
	for i, l := range r.Lines {
		request.Lines[i] = pricing.DiscountLine(l)
	}
	d, err := p.Service.Discounts(ctx, request)
	if err != nil {
		return orders.Discounts{}, err
	}
	result := orders.Discounts{Lines: d.Lines, NeedsFirstOrder: d.NeedsFirstOrder}
	for _, a := range d.Applied {
		result.Applied = append(result.Applied, orders.Discount{Limited: a.Limited, AppliedPromotion: orders.AppliedPromotion{
			PromotionID: string(a.PromotionID), Version: a.Version, Code: a.Code, Title: a.Title, Kind: string(a.Kind), Discount: a.Amount, Shipping: a.Shipping,
		}})
	}
	for _, refused := range d.Refused {
		result.Refused = append(result.Refused, orders.RefusedCoupon{Code: refused.Code, Title: refused.Title, Reason: string(refused.Reason)})
	}
	return result, nil
}

func (p ordersPromotions) Redeem(ctx context.Context, orderID string, claims []orders.Claim, customerID string, mail [][]byte, ttl time.Duration) error {
	list := make([]pricing.Claim, len(claims))
	for i, c := range claims {
		list[i] = pricing.Claim{PromotionID: pricing.PromotionID(c.PromotionID), Code: c.Code}
	}
	return p.Service.Redeem(ctx, orderID, list, pricing.Buyer{CustomerID: customerID, Mail: mail}, ttl)
}

func (p ordersPromotions) Release(ctx context.Context, orderIDs ...string) error {
	return p.Unredeem(ctx, orderIDs...)
}

// ordersStock is inventory as orders needs it.
type ordersStock struct {
	*inventory.Service
	perMinute int // requests that one client may make
}

// holder is who makes the request and has stock held for it: nobody is to hoard what they do not pay. An account may
// have a thirtieth of its requests a minute held at a time, an address, which many may share, a tenth.
func (s ordersStock) holder(ctx context.Context) inventory.Holder {
	p := httpx.PrincipalFrom(ctx)
	if id := p.CustomerID(); id != "" {
		return inventory.Holder{Key: id, Most: max(s.perMinute/30, 5)}
	}
	addr := middleware.GetClientIPAddr(ctx)
	if p.Known() || !addr.IsValid() {
		return inventory.Holder{}
	}
	sum := sha256.Sum256([]byte(ratelimit.AddrKey(addr)))
	return inventory.Holder{Key: hex.EncodeToString(sum[:16]), Most: max(s.perMinute/10, 10)}
}

func (s ordersStock) Reserve(ctx context.Context, orderID string, pieces map[string]int64, ttl time.Duration) error {
	items := make([]inventory.Item, 0, len(pieces))
	for sku, q := range pieces {
		items = append(items, inventory.Item{SKU: sku, Quantity: q})
	}
	return s.ReserveFor(ctx, s.holder(ctx), orderID, items, ttl)
}

func (s ordersStock) Extend(ctx context.Context, orderID string, ttl time.Duration) (bool, error) {
	err := s.Service.Extend(ctx, orderID, ttl)
	if inventory.ErrNotReserved.Is(err) {
		return false, nil
	}
	return err == nil, err
}

// inventoryAlerter is what tells people, as inventory needs it.
type inventoryAlerter struct{ *alert.Alerts }

func (a inventoryAlerter) Alert(ctx context.Context, tx pgx.Tx, al inventory.Alert) error {
	severity := alert.Warning
	if al.Urgent {
		severity = alert.Critical
	}
	return a.Enqueue(ctx, tx, alert.Alert{Key: al.Key, Severity: severity, Summary: al.Summary, Source: "inventory", Details: al.Details, At: al.At})
}

// ordersPayments is payments as orders needs it.
type ordersPayments struct{ *payments.Service }

func (p ordersPayments) Pay(ctx context.Context, orderID string, amount money.Amount, provider, method, returnURL string) (orders.Payment, error) {
	return orderPayment(p.Service.Pay(ctx, payments.Request{OrderID: orderID, Amount: amount, Provider: provider, Method: method, ReturnURL: withOrder(returnURL, orderID)}))
}

// withOrder names the order in the address that a gateway sends the shopper back to.
func withOrder(returnURL, orderID string) string {
	u, err := url.Parse(returnURL)
	if err != nil || returnURL == "" {
		return returnURL
	}
	q := u.Query()
	q.Set("order", orderID)
	u.RawQuery = q.Encode()
	return u.String()
}

func (p ordersPayments) Refresh(ctx context.Context, paymentID string) (orders.Payment, error) {
	return orderPayment(p.Service.Refresh(ctx, paymentID))
}

func (p ordersPayments) ByOrders(ctx context.Context, orderIDs ...string) (map[string][]orders.Payment, error) {
	list, err := p.Service.ByOrders(ctx, orderIDs...)
	if err != nil {
		return nil, err
	}
	byOrder := make(map[string][]orders.Payment, len(orderIDs))
	for _, pay := range list {
		o, _ := orderPayment(pay, nil)
		byOrder[pay.OrderID] = append(byOrder[pay.OrderID], o)
	}
	return byOrder, nil
}

func (p ordersPayments) OrderOf(ctx context.Context, paymentID string) (string, error) {
	pay, err := p.Get(ctx, paymentID)
	return pay.OrderID, err
}

func (p ordersPayments) ConfirmTest(ctx context.Context, paymentID string, approve bool) (orders.Payment, error) {
	return orderPayment(p.Service.ConfirmTest(ctx, paymentID, approve))
}

func (p ordersPayments) Capture(ctx context.Context, paymentID string, amount money.Amount) (orders.Payment, error) {
	return orderPayment(p.Service.Capture(ctx, paymentID, amount))
}

func orderPayment(p payments.Payment, err error) (orders.Payment, error) {
	if err != nil {
		return orders.Payment{}, err
	}
	o := orders.Payment{
		ID: p.ID, Provider: p.Provider, Method: p.Method, Status: string(p.Status), Amount: p.Amount, Captured: p.Captured, Refunded: p.Refunded,
		Reason: p.Reason, CreatedAt: p.CreatedAt,
	}
	if p.NextAction != nil && p.Status == payments.RequiresAction {
		o.NextAction = &orders.NextAction{Type: p.NextAction.Type, URL: p.NextAction.URL, ClientSecret: p.NextAction.ClientSecret}
	}
	return o, nil
}

// ordersPersonal is the keyring of users as orders needs it.
type ordersPersonal struct{ *users.Keyring }

func (p ordersPersonal) OpenAll(ctx context.Context, list []orders.Sealed) ([][]byte, error) {
	sealed := make([]users.Sealed, len(list))
	for i, s := range list {
		sealed[i] = users.Sealed(s)
	}
	return p.Keyring.OpenAll(ctx, sealed)
}

// ordersMailer queues the letters of orders, which are written when they are sent.
type ordersMailer struct{ queue *jobs.Queue }

// orderMail is the job that writes and sends a letter.
type orderMail struct {
	Key    string        `json:"key" river:"unique"`
	Letter orders.Letter `json:"letter"`
}

// Kind names the work.
func (orderMail) Kind() string { return "orders.mail" }

func (m ordersMailer) Enqueue(ctx context.Context, tx pgx.Tx, letters []orders.Letter) error {
	list := make([]jobs.Job, len(letters))
	for i, l := range letters {
		list[i] = jobs.Job{Args: orderMail{Key: l.Key, Letter: l}, Options: mail.Once}
		list[i].Trace = l.Trace
	}
	return m.queue.EnqueueAll(ctx, tx, list)
}

// sendOrderMail does the work of an orderMail.
func (s *Shop) sendOrderMail(ctx context.Context, job orderMail) error {
	m, wanted, err := s.Orders.WriteMail(ctx, job.Letter)
	if err != nil || !wanted {
		return err
	}
	return s.mailer.Send(ctx, mail.Letter{Key: job.Key, Message: mail.Message{To: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML}})
}

// usersMailer puts mails into the queue, sealed.
type usersMailer struct{ *mail.Outbox }

func (m usersMailer) Send(ctx context.Context, tx pgx.Tx, u users.Mail) error {
	return m.Enqueue(ctx, tx, u.Key, mail.Message{To: u.To, Subject: u.Subject, Text: u.Text, HTML: u.HTML})
}

// usersOrders is orders as users needs it for an export of personal data. It is joined after both are made.
type usersOrders struct{ orders *orders.Service }

func (u *usersOrders) ExportOrders(ctx context.Context, customerID string) (json.RawMessage, error) {
	if u.orders == nil {
		return nil, errs.New(errs.Unavailable, "unavailable", "Orders cannot be read right now.")
	}
	return u.orders.Export(ctx, customerID)
}
