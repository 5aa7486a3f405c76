package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"shopd/internal/catalog"
	"shopd/internal/inventory"
	"shopd/internal/money"
	"shopd/internal/orders"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
	"shopd/internal/pricing"
)

// Deps are the domains whose things the merchant's pages show together. All fields are required.
type Deps struct {
	Catalog   *catalog.Service
	Pricing   *pricing.Service
	Inventory *inventory.Service
	Orders    *orders.Service
	Currency  money.Currency
	Now       func() time.Time
}

// RegisterAPI adds what the merchant reads across domains to api: the overview, and products with their prices and
// stock. What belongs to one domain is registered there.
func RegisterAPI(api *httpx.API, d Deps) {
	h := handlers{d}
	httpx.Register(api, httpx.Route{
		ID: "admin-overview", Method: http.MethodGet, Path: "/api/v1/admin/overview", Summary: "Figures of the day", Tag: "Overview",
		Access: httpx.StaffWith("reports:read"),
	}, h.overview)
	products := func(id, method, path, summary, scope string) httpx.Route {
		return httpx.Route{
			ID: id, Method: method, Path: "/api/v1/admin" + path, Summary: summary, Tag: "Products", Access: httpx.StaffWith(scope),
			Errors: []int{404, 409, 412, 422, 428},
		}
	}
	httpx.Register(api, products("admin-list-products", http.MethodGet, "/products", "List products, the ones changed last first", "catalog:read"), h.listProducts)
	httpx.Register(api, products("admin-get-product", http.MethodGet, "/products/{id}", "Get a product with prices and stock", "catalog:read"), h.getProduct)
	httpx.Register(api, products("admin-update-product", http.MethodPatch, "/products/{id}", "Change a product", "catalog:write"), h.updateProduct)
	httpx.Register(api, products("admin-set-price", http.MethodPut, "/variants/{id}/price", "Set the price of a variant", "pricing:write"), h.setPrice)
}

type handlers struct{ Deps }

type day struct {
	Date    string       `json:"date,omitempty" format:"date"`
	Orders  int64        `json:"orders"`
	Revenue money.Amount `json:"revenue"`
}

type lowStock struct {
	SKU       string            `json:"sku"`
	Title     string            `json:"title"`
	Available int64             `json:"available"`
	ProductID catalog.ProductID `json:"product_id"`
}

type overviewOutput struct {
	Body struct {
		Currency   money.Currency `json:"currency"`
		Today      day            `json:"today"`
		Yesterday  day            `json:"yesterday"`
		Last30Days []day          `json:"last_30_days"`
		ToFulfil   int64          `json:"to_fulfil" doc:"Paid orders that wait to be sent."`
		LowStock   []lowStock     `json:"low_stock"`
	}
}

const (
	overviewDays = 30
	lowShown     = 8
	lowAtMost    = 3
)

func (h handlers) overview(ctx context.Context, _ *struct{}) (*overviewOutput, error) {
	days, toFulfil, err := h.Orders.DailySales(ctx, h.Currency, overviewDays)
	if err != nil {
		return nil, err
	}
	out := &overviewOutput{}
	out.Body.Currency, out.Body.ToFulfil = h.Currency, toFulfil
	out.Body.Last30Days = make([]day, len(days))
	for i, d := range days {
		out.Body.Last30Days[i] = day{Date: d.Date.Format(time.DateOnly), Orders: d.Orders, Revenue: d.Revenue}
	}
	out.Body.Today, out.Body.Yesterday = out.Body.Last30Days[len(days)-1], out.Body.Last30Days[len(days)-2]
	out.Body.LowStock, err = h.lowStock(ctx)
	return out, err
}

func (h handlers) lowStock(ctx context.Context) ([]lowStock, error) {
	levels, err := h.Inventory.Low(ctx, lowAtMost, lowShown)
	if err != nil {
		return nil, err
	}
	skus := make([]string, len(levels))
	for i, l := range levels {
		skus[i] = l.SKU
	}
	articles, err := h.Catalog.Sellables(ctx, skus)
	if err != nil {
		return nil, err
	}
	bySKU := make(map[string]catalog.Sellable, len(articles))
	for _, a := range articles {
		bySKU[a.SKU] = a
	}
	list := []lowStock{}
	for _, l := range levels {
		if a, ok := bySKU[l.SKU]; ok {
			list = append(list, lowStock{SKU: l.SKU, Title: a.Title, Available: l.Available, ProductID: a.ProductID})
		}
	}
	return list, nil
}

type listProductsInput struct {
	httpx.Page
	Q      string `query:"q" maxLength:"200" doc:"Part of a title, slug or SKU."`
	Status string `query:"status" enum:"draft,active,archived"`
}

type productItem struct {
	ID           catalog.ProductID `json:"id"`
	Slug         string            `json:"slug"`
	Title        string            `json:"title"`
	Status       catalog.Status    `json:"status"`
	Category     string            `json:"category"`
	Image        *catalog.Image    `json:"image,omitempty"`
	Price        money.Amount      `json:"price"`
	PriceMax     money.Amount      `json:"price_max"`
	Stock        int64             `json:"stock"`
	VariantCount int               `json:"variant_count"`
	UpdatedAt    time.Time         `json:"updated_at"`
}

type listProductsOutput struct{ Body httpx.List[productItem] }

func (h handlers) listProducts(ctx context.Context, in *listProductsInput) (*listProductsOutput, error) {
	list, next, err := h.Catalog.AdminList(ctx, in.Q, catalog.Status(in.Status), in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]productItem, len(list))
	for i, p := range list {
		items[i] = productItem{
			ID: p.ID, Slug: p.Slug, Title: p.Title, Status: p.Status, Stock: p.Stock, VariantCount: p.Variants, UpdatedAt: p.UpdatedAt,
			Price: money.New(0, h.Currency), PriceMax: money.New(0, h.Currency),
		}
		if p.Card != nil {
			items[i].Image, items[i].Price, items[i].PriceMax = p.Card.Image, p.Card.Price, p.Card.PriceMax
		}
		if c, err := h.Catalog.Category(ctx, string(p.Category)); err == nil {
			items[i].Category = c.Name
		}
	}
	return &listProductsOutput{httpx.NewList(items, next)}, nil
}

// ProductPath names a product or a variant. It is exported for huma, which fills it.
type ProductPath struct {
	ID string `path:"id" maxLength:"60"`
}

type productCategory struct {
	ID   catalog.CategoryID `json:"id"`
	Name string             `json:"name"`
	Path string             `json:"path" example:"Women > Tops"`
}

type variantBody struct {
	ID        catalog.VariantID `json:"id"`
	SKU       string            `json:"sku"`
	Options   map[string]string `json:"options"`
	Price     *money.Amount     `json:"price" doc:"null without a price in the shop's currency."`
	CompareAt *money.Amount     `json:"compare_at_price"`
	Version   int64             `json:"version" doc:"Of the price."`
	OnHand    int64             `json:"on_hand"`
	Reserved  int64             `json:"reserved"`
	Available int64             `json:"available"`
}

type productBody struct {
	ID          catalog.ProductID `json:"id"`
	Slug        string            `json:"slug"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Brand       string            `json:"brand"`
	Currency    money.Currency    `json:"currency" doc:"That prices are kept in."`
	Status      catalog.Status    `json:"status"`
	Version     int64             `json:"version"`
	Category    *productCategory  `json:"category,omitempty"`
	Images      []catalog.Image   `json:"images"`
	Options     []catalog.Option  `json:"options"`
	Variants    []variantBody     `json:"variants"`
}

type productOutput struct {
	ETag string `header:"ETag"`
	Body productBody
}

func (h handlers) getProduct(ctx context.Context, in *ProductPath) (*productOutput, error) {
	p, err := h.Catalog.AdminProduct(ctx, catalog.ProductID(in.ID))
	if err != nil {
		return nil, err
	}
	return h.productAnswer(ctx, p)
}

// productAnswer joins a product with what its variants cost and how many are there.
func (h handlers) productAnswer(ctx context.Context, p *catalog.AdminProduct) (*productOutput, error) {
	ids, skus := make([]string, len(p.AllVariants)), make([]string, len(p.AllVariants))
	for i, v := range p.AllVariants {
		ids[i], skus[i] = string(v.ID), v.SKU
	}
	prices, err := h.Pricing.Current(ctx, h.Currency, ids)
	if err != nil {
		return nil, err
	}
	levels, err := h.Inventory.Levels(ctx, skus)
	if err != nil {
		return nil, err
	}
	stock := make(map[string]inventory.Level, len(levels))
	for _, l := range levels {
		sum := stock[l.SKU]
		sum.OnHand, sum.Reserved, sum.Available = sum.OnHand+l.OnHand, sum.Reserved+l.Reserved, sum.Available+l.Available
		stock[l.SKU] = sum
	}
	body := productBody{
		ID: p.ID, Slug: p.Slug, Title: p.Title, Description: p.Description, Brand: p.Brand, Currency: h.Currency, Status: p.Status, Version: p.Version, Images: p.Images,
		Options: p.Options, Variants: make([]variantBody, len(p.AllVariants)),
	}
	if c := p.Category; c != nil {
		body.Category = &productCategory{ID: c.ID, Name: c.Name, Path: pathText(c.Path)}
	}
	for i, v := range p.AllVariants {
		l := stock[v.SKU]
		body.Variants[i] = variantBody{ID: v.ID, SKU: v.SKU, Options: v.Options, OnHand: l.OnHand, Reserved: l.Reserved, Available: l.Available}
		if price, ok := prices[string(v.ID)]; ok {
			body.Variants[i].Price, body.Variants[i].CompareAt, body.Variants[i].Version = &price.Amount, price.CompareAt, price.Version
		}
	}
	return &productOutput{ETag: httpx.ETag(p.Version), Body: body}, nil
}

func pathText(path []catalog.CategoryRef) string {
	text := ""
	for i, c := range path {
		if i > 0 {
			text += " > "
		}
		text += c.Name
	}
	return text
}

type updateInput struct {
	ProductPath
	IfMatch string `header:"If-Match" maxLength:"40" doc:"The ETag of what you saw."`
	Body    struct {
		Title       *string         `json:"title,omitempty" minLength:"1" maxLength:"300"`
		Description *string         `json:"description,omitempty" maxLength:"50000"`
		Status      *catalog.Status `json:"status,omitempty" enum:"draft,active,archived"`
	}
}

var errVersionNeeded = errs.New(errs.PreconditionNeeded, "version_required", "Say in If-Match which version of the product you saw.")

func (h handlers) updateProduct(ctx context.Context, in *updateInput) (*productOutput, error) {
	version, err := httpx.IfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	if version == nil {
		return nil, errVersionNeeded
	}
	p, err := h.Catalog.Update(ctx, catalog.ProductID(in.ID), *version, catalog.Patch(in.Body))
	if err != nil {
		return nil, err
	}
	return h.productAnswer(ctx, p)
}

type setPriceInput struct {
	ProductPath
	Body struct {
		Price     money.Amount `json:"price"`
		CompareAt compareAt    `json:"compare_at_price,omitempty"`
	}
}

// compareAt is an amount of money or null.
type compareAt struct{ amount *money.Amount }

// UnmarshalJSON reads an amount or null.
func (c *compareAt) UnmarshalJSON(body []byte) error { return json.Unmarshal(body, &c.amount) }

// Schema describes the value to huma, which cannot make a shared schema nullable.
func (compareAt) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, Nullable: true, Description: "What the price is compared with; null for nothing.",
		Properties: map[string]*huma.Schema{
			"amount":   {Type: huma.TypeInteger, Format: "int64"},
			"currency": {Type: huma.TypeString, Pattern: "^[A-Z]{3}$"},
		},
		Required: []string{"amount", "currency"}, AdditionalProperties: false,
	}
	for _, p := range s.Properties {
		p.PrecomputeMessages()
	}
	s.PrecomputeMessages()
	return s
}

type variantOutput struct{ Body variantBody }

func (h handlers) setPrice(ctx context.Context, in *setPriceInput) (*variantOutput, error) {
	list, err := h.Catalog.Sellables(ctx, []string{in.ID})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || string(list[0].VariantID) != in.ID {
		return nil, errs.ErrNotFound
	}
	v := list[0]
	if _, err := h.Pricing.Set(ctx, []pricing.Change{{
		VariantID: in.ID, SKU: v.SKU, Amount: in.Body.Price, CompareAt: in.Body.CompareAt.amount, Source: pricing.Admin, Reason: httpx.PrincipalFrom(ctx).Actor(),
	}}); err != nil {
		return nil, err
	}
	prices, err := h.Pricing.Current(ctx, in.Body.Price.Currency, []string{in.ID})
	if err != nil {
		return nil, err
	}
	levels, err := h.Inventory.Levels(ctx, []string{v.SKU})
	if err != nil {
		return nil, err
	}
	price := prices[in.ID]
	out := &variantOutput{variantBody{ID: v.VariantID, SKU: v.SKU, Options: v.Options, Price: &price.Amount, CompareAt: price.CompareAt, Version: price.Version}}
	for _, l := range levels {
		out.Body.OnHand, out.Body.Reserved, out.Body.Available = out.Body.OnHand+l.OnHand, out.Body.Reserved+l.Reserved, out.Body.Available+l.Available
	}
	return out, nil
}
