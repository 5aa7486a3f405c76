package pricing

import (
	"context"
	"net/http"
	"time"

	"shopd/internal/money"
	"shopd/internal/platform/errs"
	"shopd/internal/platform/httpx"
)

// RegisterAdmin adds promotions and groups of customers to the merchant's api.
func RegisterAdmin(api *httpx.API, s *Service) {
	h := promotionHandlers{s}
	route := func(id, method, path, summary, scope string, status int) httpx.Route {
		return httpx.Route{
			ID: id, Method: method, Path: "/api/v1/admin" + path, Summary: summary, Tag: "Promotions", Access: httpx.StaffWith(scope), Status: status,
			Errors: []int{404, 409, 412, 422, 428},
		}
	}
	const read, write = "promotions:read", "promotions:write"
	httpx.Register(api, route("admin-list-promotions", http.MethodGet, "/promotions", "List promotions, newest first", read, 200), h.list)
	httpx.Register(api, route("admin-create-promotion", http.MethodPost, "/promotions", "Make a promotion", write, 201), h.create)
	httpx.Register(api, route("admin-get-promotion", http.MethodGet, "/promotions/{id}", "Get a promotion", read, 200), h.get)
	httpx.Register(api, route("admin-replace-promotion", http.MethodPut, "/promotions/{id}", "Replace a promotion", write, 200), h.replace)
	httpx.Register(api, route("admin-delete-promotion", http.MethodDelete, "/promotions/{id}", "Delete a promotion", write, 204), h.delete)
	httpx.Register(api, route("admin-promotion-statistics", http.MethodGet, "/promotions/{id}/statistics", "What a promotion did, by day and currency", read, 200), h.statistics)
	httpx.Register(api, route("admin-list-group-members", http.MethodGet, "/customer-groups/{group}/members", "List the customers of a group", read, 200), h.members)
	httpx.Register(api, route("admin-add-group-member", http.MethodPut, "/customer-groups/{group}/members/{customer_id}", "Put a customer into a group", write, 204), h.addMember)
	httpx.Register(api, route("admin-remove-group-member", http.MethodDelete, "/customer-groups/{group}/members/{customer_id}", "Take a customer out of a group", write, 204), h.removeMember)
}

type promotionHandlers struct{ *Service }

// PromotionInput is what the merchant says of a promotion. It is exported for huma, which fills it.
type PromotionInput struct {
	Title  string   `json:"title" minLength:"1" maxLength:"120" doc:"What shoppers see."`
	Kind   Kind     `json:"kind" enum:"percentage,fixed_amount,free_shipping,buy_x_get_y"`
	Active *bool    `json:"active,omitempty" doc:"True when left out."`
	Codes  []string `json:"codes,omitempty" maxItems:"100" doc:"Without codes it is applied by itself. White space and case do not count."`
	Terms
	Stacking  Stacking   `json:"stacking,omitempty" enum:"combinable,exclusive" doc:"combinable when left out. Of an exclusive promotion and what it cannot be combined with, the higher priority wins, and of equal ones what the shopper saves more with."`
	Priority  int        `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"The higher is applied first."`
	ValidFrom *time.Time `json:"valid_from,omitempty"`
	ValidTo   *time.Time `json:"valid_to,omitempty"`
	UseLimit  *int64     `json:"use_limit,omitempty" minimum:"1" maximum:"1000000000" doc:"In how many orders it may be used."`
	Customer  *int64     `json:"per_customer_limit,omitempty" minimum:"1" maximum:"1000000000" doc:"In how many orders of one account, and of one e-mail address."`
}

func (b PromotionInput) promotion() Promotion {
	return Promotion{
		Title: b.Title, Kind: b.Kind, Active: b.Active == nil || *b.Active, Codes: b.Codes, Terms: b.Terms, Stacking: b.Stacking, Priority: b.Priority,
		ValidFrom: b.ValidFrom, ValidTo: b.ValidTo, UseLimit: b.UseLimit, CustomerLimit: b.Customer,
	}
}

// promotionBody is a promotion on the wire.
type promotionBody struct {
	ID PromotionID `json:"id"`
	PromotionInput
	Uses      int64     `json:"uses" doc:"Counted against its limits, also by orders that wait to be paid; 0 without limits."`
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func bodyOf(p *Promotion) promotionBody {
	return promotionBody{
		ID: p.ID, Uses: p.Uses, Version: p.Version, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		PromotionInput: PromotionInput{
			Title: p.Title, Kind: p.Kind, Active: &p.Active, Codes: p.Codes, Terms: p.Terms, Stacking: p.Stacking, Priority: p.Priority, ValidFrom: p.ValidFrom,
			ValidTo: p.ValidTo, UseLimit: p.UseLimit, Customer: p.CustomerLimit,
		},
	}
}

type promotionOutput struct {
	ETag string `header:"ETag"`
	Body promotionBody
}

func promotionAnswer(p *Promotion, err error) (*promotionOutput, error) {
	if err != nil {
		return nil, err
	}
	return &promotionOutput{httpx.ETag(p.Version), bodyOf(p)}, nil
}

type listPromotionsOutput struct{ Body httpx.List[promotionBody] }

func (h promotionHandlers) list(ctx context.Context, in *httpx.Page) (*listPromotionsOutput, error) {
	list, next, err := h.Promotions(ctx, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]promotionBody, len(list))
	for i, p := range list {
		items[i] = bodyOf(p)
	}
	return &listPromotionsOutput{httpx.NewList(items, next)}, nil
}

func (h promotionHandlers) create(ctx context.Context, in *struct{ Body PromotionInput }) (*promotionOutput, error) {
	return promotionAnswer(h.CreatePromotion(ctx, in.Body.promotion(), httpx.PrincipalFrom(ctx).Actor()))
}

// PromotionPath names a promotion. It is exported for huma, which fills it.
type PromotionPath struct {
	ID PromotionID `path:"id" maxLength:"60"`
}

func (h promotionHandlers) get(ctx context.Context, in *PromotionPath) (*promotionOutput, error) {
	return promotionAnswer(h.Promotion(ctx, in.ID))
}

// SeenPromotion names a promotion in the version the caller has seen. It is exported for huma, which fills it.
type SeenPromotion struct {
	PromotionPath
	IfMatch string `header:"If-Match" maxLength:"40" doc:"The ETag of what you saw."`
}

func (p SeenPromotion) version() (int64, error) {
	version, err := httpx.IfMatch(p.IfMatch)
	if err == nil && version == nil {
		err = errs.New(errs.PreconditionNeeded, "version_required", "Say in If-Match which version of the promotion you saw.")
	}
	if err != nil {
		return 0, err
	}
	return *version, nil
}

type replacePromotionInput struct {
	SeenPromotion
	Body PromotionInput
}

func (h promotionHandlers) replace(ctx context.Context, in *replacePromotionInput) (*promotionOutput, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	return promotionAnswer(h.ReplacePromotion(ctx, in.ID, version, in.Body.promotion(), httpx.PrincipalFrom(ctx).Actor()))
}

func (h promotionHandlers) delete(ctx context.Context, in *SeenPromotion) (*struct{}, error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	return nil, h.DeletePromotion(ctx, in.ID, version, httpx.PrincipalFrom(ctx).Actor())
}

type statisticsInput struct {
	PromotionPath
	From string `query:"from" format:"date" doc:"The first day (UTC); 30 days before to when left out."`
	To   string `query:"to" format:"date" doc:"The last day (UTC); today when left out."`
}

// maxStatistics bounds the days of one answer.
const maxStatistics = 400

func (in *statisticsInput) days(today time.Time) (from, to time.Time, err error) {
	to = today
	if in.To != "" {
		if to, err = time.Parse(time.DateOnly, in.To); err != nil {
			return from, to, err
		}
	}
	from = to.AddDate(0, 0, -30)
	if in.From != "" {
		if from, err = time.Parse(time.DateOnly, in.From); err != nil {
			return from, to, err
		}
	}
	if to.Before(from) || to.Sub(from) > maxStatistics*24*time.Hour {
		err = errs.New(errs.Invalid, "invalid_parameter", "Ask for up to 400 days that follow each other.").
			WithFields(errs.Field{Pointer: "query/from", Code: "invalid_parameter", Detail: "at most 400 days before to"})
	}
	return from, to, err
}

type promotionDay struct {
	Date      string       `json:"date" format:"date"`
	Orders    int64        `json:"orders" doc:"Paid on this day and not cancelled since."`
	Revenue   money.Amount `json:"revenue" doc:"Total of these orders."`
	Discount  money.Amount `json:"discount" doc:"What the promotion took off them, shipping included."`
	Cancelled int64        `json:"cancelled" doc:"Paid on this day and cancelled since."`
}

type statisticsOutput struct {
	Body struct {
		Items []promotionDay `json:"items" nullable:"false" doc:"Days on which nothing happened are left out."`
	}
}

func (h promotionHandlers) statistics(ctx context.Context, in *statisticsInput) (*statisticsOutput, error) {
	from, to, err := in.days(h.now().Truncate(24 * time.Hour))
	if err != nil {
		return nil, err
	}
	days, err := h.PromotionDays(ctx, in.ID, from, to.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	out := &statisticsOutput{}
	out.Body.Items = make([]promotionDay, len(days))
	for i, d := range days {
		out.Body.Items[i] = promotionDay{Date: d.Day.Format(time.DateOnly), Orders: d.Orders, Revenue: d.Revenue, Discount: d.Discount, Cancelled: d.Cancelled}
	}
	return out, nil
}

// GroupPath names a group of customers. It is exported for huma, which fills it.
type GroupPath struct {
	Group string `path:"group" maxLength:"60"`
}

type membersInput struct {
	GroupPath
	httpx.Page
}

type member struct {
	CustomerID string `json:"customer_id"`
}

type membersOutput struct{ Body httpx.List[member] }

func (h promotionHandlers) members(ctx context.Context, in *membersInput) (*membersOutput, error) {
	list, err := h.GroupMembers(ctx, in.Group, in.After, in.Limit+1)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(list) > in.Limit {
		list = list[:in.Limit]
		next = list[in.Limit-1]
	}
	items := make([]member, len(list))
	for i, id := range list {
		items[i] = member{id}
	}
	return &membersOutput{httpx.NewList(items, next)}, nil
}

type memberInput struct {
	GroupPath
	CustomerID string `path:"customer_id" maxLength:"60"`
}

func (h promotionHandlers) addMember(ctx context.Context, in *memberInput) (*struct{}, error) {
	return nil, h.AddToGroup(ctx, in.Group, in.CustomerID)
}

func (h promotionHandlers) removeMember(ctx context.Context, in *memberInput) (*struct{}, error) {
	return nil, h.RemoveFromGroup(ctx, in.Group, in.CustomerID)
}
